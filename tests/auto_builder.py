# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the owners of Auto-Builder say of it."""

from __future__ import annotations

# Object of the Key Vault, Secret, key.
MAPPING = [
    ("database-url", "db-credentials", "DATABASE_URL"),
    ("jwt-secret", "app-secrets", "JWT_SECRET_KEY"),
    ("redis-password", "app-secrets", "REDIS_PASSWORD"),
    ("init-password", "app-secrets", "INIT_PASSWORD"),
    ("celery-broker-url", "app-secrets", "CELERY_BROKER_URL"),
    ("celery-result-backend", "app-secrets", "CELERY_RESULT_BACKEND"),
    ("OPENAI-KEY-1", "app-secrets", "OPENAI_KEY_1"),
    ("CLAUDE-KEY", "app-secrets", "CLAUDE_KEY"),
    ("nextauth-secret", "ui-secrets", "NEXTAUTH_SECRET"),
]
