"""Training: objectives, data, the loop, and the recipe that makes the bundled model.

python -m longt5.training fine-tune --config recipe.toml --data DIR --out DIR
"""
