-- Keeps this number free for the change of holds that is merged beside this one.
SELECT 1;
