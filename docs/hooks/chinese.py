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


def on_post_page(output, page, config):
    # Browsers choose fonts and line breaks, and screen readers their voice, by the language of a page.
    if page.file.src_uri.startswith("zh/"):
        return output.replace('<html lang="en"', '<html lang="zh-CN"', 1)
    return output
