-- Answers to requests that came with an `Idempotency-Key`, for those who send them again. `matches`
-- differs where the body does; `answer` is sealed, and absent while the request is under way.
CREATE TABLE repeatable_answer (
    place BLOB NOT NULL,
    matches BLOB NOT NULL,
    holder TEXT NOT NULL,
    answer BLOB,
    expire_ms INTEGER NOT NULL,
    CONSTRAINT repeatable_answer_pk PRIMARY KEY (place)
) STRICT;

CREATE INDEX repeatable_answer_by_expiry ON repeatable_answer (expire_ms);
