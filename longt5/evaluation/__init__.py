"""Score a checkpoint's summaries and simple baselines, with confidence intervals.

python -m longt5.evaluation --model assets/model --data dev.jsonl.xz --compare lead,textrank
"""
