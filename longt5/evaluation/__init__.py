"""How good a checkpoint's summaries are: scores beside simple baselines, with intervals.

python -m longt5.evaluation --model assets/model --data dev.jsonl.xz --compare lead,textrank
"""
