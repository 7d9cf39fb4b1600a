-- Whether answers to the requests of an access key may be stored; absent where it does not say.

ALTER TABLE access_keys ADD COLUMN cache boolean;
