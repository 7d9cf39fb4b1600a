-- A role for each service that has a store, and for each a schema that the others cannot look into.
-- An administrator runs it once, in the database that is for Keyward, before `keyward migrate`; the
-- passwords are set afterwards with `\password`.
CREATE ROLE keyward_vault LOGIN;
CREATE ROLE keyward_metering LOGIN;
CREATE ROLE keyward_router LOGIN;
CREATE SCHEMA keyward_vault AUTHORIZATION keyward_vault;
CREATE SCHEMA keyward_metering AUTHORIZATION keyward_metering;
CREATE SCHEMA keyward_router AUTHORIZATION keyward_router;
REVOKE ALL ON SCHEMA keyward_vault, keyward_metering, keyward_router FROM PUBLIC;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
