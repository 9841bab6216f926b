"""The engine beside transformers in float32."""
