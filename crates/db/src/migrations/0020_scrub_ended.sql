-- When the last pass ended, while the next one is under way too: whoever is woken because none has ended for long asks for it.
ALTER TABLE scrub ADD COLUMN ended_at @int;
UPDATE scrub SET ended_at = finished_at;
