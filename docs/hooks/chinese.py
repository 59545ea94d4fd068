"""What the Chinese pages need."""

import logging
from pathlib import Path

import jieba


def on_config(config):
    # The search plugin cuts words by jieba, which keeps a file; a fixed name in /tmp would belong to whoever came first.
    jieba.setLogLevel(logging.WARNING)
    cache = Path(config.config_file_path).parents[1] / "build" / "docs-cache"
    cache.mkdir(parents=True, exist_ok=True)
    jieba.dt.tmp_dir = str(cache)


def on_page_context(context, page, config, nav):
    # The theme's own words, and what browsers and screen readers are told, for the page that is rendered next.
    config.theme["language"] = "zh" if page.file.src_uri.startswith("zh/") else "en"
    return context
