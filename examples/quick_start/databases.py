"""Which databases there are, and the Secret with their passwords. ``sosctl`` reads this file too."""

from __future__ import annotations

from sos_constructs import SECRETS, Database, postgres_secret

DATABASES = [Database("shop", owner="shop_app", sql="CREATE TABLE IF NOT EXISTS visits (id bigserial PRIMARY KEY, at timestamptz DEFAULT now())")]
CATALOGUE = SECRETS + postgres_secret("shop", databases=DATABASES)
