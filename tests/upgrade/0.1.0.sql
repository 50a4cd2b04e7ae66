BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE api_key (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	created_at INTEGER NOT NULL, 
	last_used_at INTEGER, 
	revoked_at INTEGER, 
	CONSTRAINT api_key_key PRIMARY KEY (id), 
	CONSTRAINT api_key_digest UNIQUE (digest)
)
 STRICT

;
INSERT INTO "api_key" VALUES('key_1','CRM','digest',1772366400123456,NULL,NULL);
CREATE TABLE attempt (
	mailbox_id TEXT NOT NULL, 
	delivery_id TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	started_at INTEGER NOT NULL, 
	ended_at INTEGER NOT NULL, 
	outcome TEXT NOT NULL, 
	stage TEXT, 
	reply TEXT, 
	diagnosis TEXT, 
	recipients TEXT NOT NULL, 
	CONSTRAINT attempt_key PRIMARY KEY (mailbox_id, delivery_id, number), 
	CONSTRAINT attempt_mailbox FOREIGN KEY(mailbox_id) REFERENCES mailbox (id) ON DELETE CASCADE
)
 WITHOUT ROWID,
 STRICT

;
INSERT INTO "attempt" VALUES('mbx_de3b4wzz6kye2','dlv_de3b4wzz6kye206eajh8ah62jfa4hw8j16tag',1,1772366400123456,1772366400123456,'refused for good','rcpt','550 no','{"code":"smtp.recipient_unknown","message":"The password was refused.","reason":"It was changed.","steps":["Give the new one."],"action":"reauthenticate","matched":"a rule","raw":"535 5.7.8 no – wrong","retry_after":60}','[{"address":"ann@example.com","state":"accepted","reply":"250 ok","diagnosis":null},{"address":"ben@example.com","state":"refused","reply":"550 no","diagnosis":{"code":"smtp.recipient_unknown","message":"The password was refused.","reason":"It was changed.","steps":["Give the new one."],"action":"reauthenticate","matched":"a rule","raw":"535 5.7.8 no – wrong","retry_after":60}}]');
CREATE TABLE conversation (
	mailbox_id TEXT NOT NULL, 
	id TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	created_at INTEGER NOT NULL, 
	updated_at INTEGER NOT NULL, 
	message_count INTEGER NOT NULL, 
	participants TEXT NOT NULL, 
	CONSTRAINT conversation_key PRIMARY KEY (mailbox_id, id), 
	CONSTRAINT conversation_mailbox FOREIGN KEY(mailbox_id) REFERENCES mailbox (id) ON DELETE CASCADE
)
 STRICT

;
INSERT INTO "conversation" VALUES('mbx_de3b4wzz6kye2','cnv_de3b4wzz6kye206eajh8afx5j4xvqtkehzhgw','Der Drucker – wieder',1772366400123456,1772366400123456,1,'[{"email":"ann@example.com","name":"Ann Ä"},{"email":"help@example.org","name":""}]');
INSERT INTO "conversation" VALUES('mbx_de3b4wzz6kye2','cnv_de3b4wzz6kye206eajh8ag9wg4tcvwgp8n3j6','',1772366400123456,1772366400123456,1,'[]');
INSERT INTO "conversation" VALUES('mbx_de3b4wzz6kye2','cnv_de3b4wzz6kye206eajh8ah0zxq8tz0ke8rhh9','Der Drucker – wieder',1772366400123456,1772366400123456,1,'[{"email":"help@example.org","name":""}]');
INSERT INTO "conversation" VALUES('mbx_thsnweh6brbew','cnv_thsnweh6brbew06eajh8ahh2j6n0f2m2ct5rg','Der Drucker – wieder',1772366400123456,1772366400123456,1,'[{"email":"help@example.org","name":""}]');
CREATE TABLE conversation_reference (
	mailbox_id TEXT NOT NULL, 
	rfc_message_id TEXT NOT NULL, 
	conversation_id TEXT NOT NULL, 
	CONSTRAINT conversation_reference_key PRIMARY KEY (mailbox_id, rfc_message_id), 
	CONSTRAINT conversation_reference_mailbox FOREIGN KEY(mailbox_id) REFERENCES mailbox (id) ON DELETE CASCADE
)
 WITHOUT ROWID,
 STRICT

;
INSERT INTO "conversation_reference" VALUES('mbx_de3b4wzz6kye2','1@example.com','cnv_de3b4wzz6kye206eajh8afx5j4xvqtkehzhgw');
INSERT INTO "conversation_reference" VALUES('mbx_de3b4wzz6kye2','msg_de3b4wzz6kye206eajh8agxnn3n1hvxeqy50w@example.org','cnv_de3b4wzz6kye206eajh8ah0zxq8tz0ke8rhh9');
INSERT INTO "conversation_reference" VALUES('mbx_thsnweh6brbew','msg_thsnweh6brbew06eajh8aherqxxphkhx5p7q8@example.org','cnv_thsnweh6brbew06eajh8ahh2j6n0f2m2ct5rg');
CREATE TABLE credential (
	mailbox_id TEXT NOT NULL, 
	secret BLOB NOT NULL, 
	CONSTRAINT credential_key PRIMARY KEY (mailbox_id), 
	CONSTRAINT credential_mailbox FOREIGN KEY(mailbox_id) REFERENCES mailbox (id) ON DELETE CASCADE
)
 WITHOUT ROWID,
 STRICT

;
INSERT INTO "credential" VALUES('mbx_de3b4wzz6kye2',X'9B68EB37E71FB7DF31D66D6F6E235C3E1EF7DE179C84C0B22B3139B72FF4A217A7470EC9A03BFECC514D9442D5D03738AF6EC1DD1361A9987A2117F9079ED57C89687BF200C317EB82C147039E3649A6085F506AE6');
INSERT INTO "credential" VALUES('mbx_thsnweh6brbew',X'9B68EB37E71FB7DF1CDD4CC18612EE780594A457B2B257A9B4EB5B0B98924FCC638390DE0E2ADF0B1AE5E45FF7BF045E8B4E5E07851D93246D4E7C40FE23C4D4D5B481DF99C9495CCA8A20A0DF37C5EC92D4AC1B03');
CREATE TABLE delivery (
	mailbox_id TEXT NOT NULL, 
	id TEXT NOT NULL, 
	message_id TEXT NOT NULL, 
	rfc_message_id TEXT NOT NULL, 
	conversation_id TEXT NOT NULL, 
	state TEXT NOT NULL, 
	sender TEXT NOT NULL, 
	recipients TEXT NOT NULL, 
	size INTEGER NOT NULL, 
	attempts INTEGER NOT NULL, 
	accepted_at INTEGER NOT NULL, 
	send_at INTEGER, 
	next_attempt_at INTEGER NOT NULL, 
	expires_at INTEGER NOT NULL, 
	updated_at INTEGER NOT NULL, 
	diagnosis TEXT, 
	sent_copy TEXT NOT NULL, 
	idempotency_key TEXT, 
	idempotency_digest TEXT, 
	CONSTRAINT delivery_key PRIMARY KEY (mailbox_id, id), 
	CONSTRAINT delivery_mailbox FOREIGN KEY(mailbox_id) REFERENCES mailbox (id) ON DELETE CASCADE
)
 STRICT

;
INSERT INTO "delivery" VALUES('mbx_de3b4wzz6kye2','dlv_de3b4wzz6kye206eajh8ah62jfa4hw8j16tag','msg_de3b4wzz6kye206eajh8agxnn3n1hvxeqy50w','msg_de3b4wzz6kye206eajh8agxnn3n1hvxeqy50w@example.org','cnv_de3b4wzz6kye206eajh8ah0zxq8tz0ke8rhh9','failed','help@example.org','[{"address":"ann@example.com","state":"accepted","reply":"250 ok","diagnosis":null},{"address":"ben@example.com","state":"refused","reply":"550 no","diagnosis":{"code":"smtp.recipient_unknown","message":"The password was refused.","reason":"It was changed.","steps":["Give the new one."],"action":"reauthenticate","matched":"a rule","raw":"535 5.7.8 no – wrong","retry_after":60}}]',76,1,1772366400123456,NULL,1772366400123456,1772625600123456,1772366400123456,'{"code":"smtp.recipient_unknown","message":"The password was refused.","reason":"It was changed.","steps":["Give the new one."],"action":"reauthenticate","matched":"a rule","raw":"535 5.7.8 no – wrong","retry_after":60}','due','key','digest');
INSERT INTO "delivery" VALUES('mbx_thsnweh6brbew','dlv_thsnweh6brbew06eajh8ahn7cjpczr81x2xn3','msg_thsnweh6brbew06eajh8aherqxxphkhx5p7q8','msg_thsnweh6brbew06eajh8aherqxxphkhx5p7q8@example.org','cnv_thsnweh6brbew06eajh8ahh2j6n0f2m2ct5rg','held','help@example.org','[{"address":"ann@example.com","state":"pending","reply":null,"diagnosis":null},{"address":"ben@example.com","state":"pending","reply":null,"diagnosis":null}]',76,0,1772366400123456,NULL,1772366400123456,1772625600123456,1772366400123456,NULL,'none',NULL,'');
CREATE TABLE event (
	mailbox_id TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	type TEXT NOT NULL, 
	at INTEGER NOT NULL, 
	data TEXT NOT NULL, 
	CONSTRAINT event_key PRIMARY KEY (mailbox_id, position), 
	CONSTRAINT event_mailbox FOREIGN KEY(mailbox_id) REFERENCES mailbox (id) ON DELETE CASCADE
)
 STRICT

;
INSERT INTO "event" VALUES('mbx_de3b4wzz6kye2',1,'evt_06eajh8ag3qjt4kxwdxs8axa','message.received',1772366400123456,'{"id":"msg_de3b4wzz6kye206eajh8afs70eg45cazdq2v0","mailbox_id":"mbx_de3b4wzz6kye2","message_id":"1@example.com","conversation_id":"cnv_de3b4wzz6kye206eajh8afx5j4xvqtkehzhgw","from":{"email":"ann@example.com","name":"Ann Ä"},"subject":"Der Drucker – wieder","received_at":"2026-03-01T12:00:00.123456Z","folder":"INBOX","quarantine":null,"automatic":false}');
INSERT INTO "event" VALUES('mbx_de3b4wzz6kye2',2,'evt_06eajh8agcp64ghjsq922xrj','message.received',1772366400123456,'{"id":"msg_de3b4wzz6kye206eajh8ag7kzdg0hexq8vdyd","mailbox_id":"mbx_de3b4wzz6kye2","message_id":null,"conversation_id":"cnv_de3b4wzz6kye206eajh8ag9wg4tcvwgp8n3j6","from":null,"subject":"","received_at":"2026-03-01T12:00:00.123456Z","folder":"INBOX","quarantine":"nested too deep","automatic":false}');
INSERT INTO "event" VALUES('mbx_thsnweh6brbew',3,'evt_06eajh8ahta01wdj3jtjfnzt','delivery.held',1772366400123456,'{"id":"dlv_thsnweh6brbew06eajh8ahn7cjpczr81x2xn3","mailbox_id":"mbx_thsnweh6brbew","message_id":"msg_thsnweh6brbew06eajh8aherqxxphkhx5p7q8@example.org","conversation_id":"cnv_thsnweh6brbew06eajh8ahh2j6n0f2m2ct5rg","state":"held","attempt_count":0,"recipients":[{"address":"ann@example.com","state":"pending","reply":null,"diagnosis":null},{"address":"ben@example.com","state":"pending","reply":null,"diagnosis":null}],"diagnosis":null,"accepted_at":"2026-03-01T12:00:00.123456Z","expires_at":"2026-03-04T12:00:00.123456Z"}');
INSERT INTO "event" VALUES('mbx_de3b4wzz6kye2',4,'evt_failed','delivery.failed',1772366400123456,'{"id":"dlv_de3b4wzz6kye206eajh8ah62jfa4hw8j16tag"}');
CREATE TABLE event_position (
	id INTEGER NOT NULL, 
	last INTEGER NOT NULL, 
	CONSTRAINT event_position_key PRIMARY KEY (id)
)
 STRICT

;
INSERT INTO "event_position" VALUES(1,4);
CREATE TABLE folder (
	mailbox_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	uid_validity INTEGER NOT NULL, 
	last_uid INTEGER NOT NULL, 
	highest_modseq INTEGER, 
	synced_at INTEGER, 
	total INTEGER NOT NULL, 
	done INTEGER NOT NULL, 
	CONSTRAINT folder_key PRIMARY KEY (mailbox_id, name), 
	CONSTRAINT folder_mailbox FOREIGN KEY(mailbox_id) REFERENCES mailbox (id) ON DELETE CASCADE
)
 WITHOUT ROWID,
 STRICT

;
INSERT INTO "folder" VALUES('mbx_de3b4wzz6kye2','INBOX',7,3,12,1772366400123456,3,3);
CREATE TABLE health (
	mailbox_id TEXT NOT NULL, 
	direction TEXT NOT NULL, 
	state TEXT NOT NULL, 
	since INTEGER NOT NULL, 
	diagnosis TEXT, 
	code TEXT, 
	code_at INTEGER, 
	failures INTEGER NOT NULL, 
	next_probe_at INTEGER, 
	heard_at INTEGER, 
	CONSTRAINT health_key PRIMARY KEY (mailbox_id, direction), 
	CONSTRAINT health_mailbox FOREIGN KEY(mailbox_id) REFERENCES mailbox (id) ON DELETE CASCADE
)
 WITHOUT ROWID,
 STRICT

;
INSERT INTO "health" VALUES('mbx_de3b4wzz6kye2','imap','connected',1772366400123456,NULL,NULL,NULL,0,NULL,1772366400123456);
INSERT INTO "health" VALUES('mbx_de3b4wzz6kye2','smtp','suspected',1772366400123456,'{"code":"smtp.invalid_credentials","message":"The password was refused.","reason":"It was changed.","steps":["Give the new one."],"action":"reauthenticate","matched":"a rule","raw":"535 5.7.8 no – wrong","retry_after":60}','smtp.invalid_credentials',1772366400123456,2,1772366460123456,NULL);
INSERT INTO "health" VALUES('mbx_thsnweh6brbew','imap','connected',1772366400123456,NULL,NULL,NULL,0,NULL,NULL);
INSERT INTO "health" VALUES('mbx_thsnweh6brbew','smtp','paused',1772366400123456,NULL,NULL,NULL,0,NULL,NULL);
CREATE TABLE ledger (
	mailbox_id TEXT NOT NULL, 
	folder TEXT NOT NULL, 
	uid_validity INTEGER NOT NULL, 
	uid INTEGER NOT NULL, 
	outcome TEXT NOT NULL, 
	message_id TEXT, 
	size INTEGER NOT NULL, 
	reason TEXT, 
	CONSTRAINT ledger_key PRIMARY KEY (mailbox_id, folder, uid_validity, uid), 
	CONSTRAINT ledger_mailbox FOREIGN KEY(mailbox_id) REFERENCES mailbox (id) ON DELETE CASCADE
)
 WITHOUT ROWID,
 STRICT

;
INSERT INTO "ledger" VALUES('mbx_de3b4wzz6kye2','INBOX',7,1,'fetched','msg_de3b4wzz6kye206eajh8afs70eg45cazdq2v0',43,NULL);
INSERT INTO "ledger" VALUES('mbx_de3b4wzz6kye2','INBOX',7,2,'quarantined','msg_de3b4wzz6kye206eajh8ag7kzdg0hexq8vdyd',43,'nested too deep');
INSERT INTO "ledger" VALUES('mbx_de3b4wzz6kye2','INBOX',7,3,'skipped',NULL,9,'too large');
CREATE TABLE mailbox (
	id TEXT NOT NULL, 
	address TEXT NOT NULL, 
	address_key TEXT NOT NULL, 
	name TEXT NOT NULL, 
	provider TEXT NOT NULL, 
	imap_host TEXT NOT NULL, 
	imap_port INTEGER NOT NULL, 
	imap_security TEXT NOT NULL, 
	imap_username TEXT NOT NULL, 
	smtp_host TEXT NOT NULL, 
	smtp_port INTEGER NOT NULL, 
	smtp_security TEXT NOT NULL, 
	smtp_username TEXT NOT NULL, 
	auth_kind TEXT NOT NULL, 
	ca_certificate TEXT, 
	hold_hours INTEGER NOT NULL, 
	folders TEXT NOT NULL, 
	reference TEXT, 
	unconfirmed TEXT NOT NULL, 
	created_at INTEGER NOT NULL, 
	worker_id TEXT, 
	epoch INTEGER NOT NULL, 
	CONSTRAINT mailbox_key PRIMARY KEY (id), 
	CONSTRAINT mailbox_address_key UNIQUE (address_key)
)
 STRICT

;
INSERT INTO "mailbox" VALUES('mbx_de3b4wzz6kye2','help@example.org','help@example.org','Hilfe & Rat','generic','imap.example.org',993,'tls','help@example.org','smtp.example.org',587,'starttls','help@example.org','password',NULL,72,'["INBOX"]','crm-7','resend',1772366400123456,'wrk_one',1);
INSERT INTO "mailbox" VALUES('mbx_thsnweh6brbew','paused@example.org','paused@example.org','Hilfe & Rat','generic','imap.example.org',993,'tls','paused@example.org','smtp.example.org',587,'starttls','paused@example.org','password',NULL,72,'["INBOX"]',NULL,'resend',1772366400123456,'wrk_one',1);
CREATE TABLE message (
	mailbox_id TEXT NOT NULL, 
	id TEXT NOT NULL, 
	conversation_id TEXT NOT NULL, 
	flow TEXT NOT NULL, 
	rfc_message_id TEXT NOT NULL, 
	folder TEXT, 
	uid_validity INTEGER NOT NULL, 
	size INTEGER NOT NULL, 
	digest BLOB NOT NULL, 
	received_at INTEGER NOT NULL, 
	quarantine TEXT, 
	parsed TEXT NOT NULL, 
	CONSTRAINT message_key PRIMARY KEY (mailbox_id, id), 
	CONSTRAINT message_mailbox FOREIGN KEY(mailbox_id) REFERENCES mailbox (id) ON DELETE CASCADE
)
 STRICT

;
INSERT INTO "message" VALUES('mbx_de3b4wzz6kye2','msg_de3b4wzz6kye206eajh8afs70eg45cazdq2v0','cnv_de3b4wzz6kye206eajh8afx5j4xvqtkehzhgw','inbound','1@example.com','INBOX',7,43,X'1DBBBE60F31DAB5BD6955CDFDF12F8937FF8B85BD278EA0DFE11F4BDD07AF348',1772366400123456,NULL,'{"message_id":"1@example.com","subject":"Der Drucker – wieder","sender":{"email":"ann@example.com","name":"Ann Ä"},"to":[{"email":"help@example.org","name":""}],"cc":[],"bcc":[],"reply_to":[],"date":"2026-03-01T11:59:00.123456+00:00","in_reply_to":null,"references":[],"text":"Er druckt nicht. 🖨","html":"<p>Er druckt nicht.</p>","attachments":[{"number":0,"filename":"bild.png","content_type":"image/png","size":77,"content_id":"cid1","inline":true}],"automatic":false,"faults":["no date"]}');
INSERT INTO "message" VALUES('mbx_de3b4wzz6kye2','msg_de3b4wzz6kye206eajh8ag7kzdg0hexq8vdyd','cnv_de3b4wzz6kye206eajh8ag9wg4tcvwgp8n3j6','inbound','','INBOX',7,43,X'2B2013368B639E101F019D575632C9C600C3B66E0D1BA772F5F675ABC46B63FE',1772366400123456,'nested too deep','{"message_id":null,"subject":"","sender":null,"to":[],"cc":[],"bcc":[],"reply_to":[],"date":null,"in_reply_to":null,"references":[],"text":"","html":"","attachments":[],"automatic":false,"faults":[]}');
INSERT INTO "message" VALUES('mbx_de3b4wzz6kye2','msg_de3b4wzz6kye206eajh8agxnn3n1hvxeqy50w','cnv_de3b4wzz6kye206eajh8ah0zxq8tz0ke8rhh9','outbound','msg_de3b4wzz6kye206eajh8agxnn3n1hvxeqy50w@example.org',NULL,0,76,X'0276176A43BF68096FDB81C6A4AB561EB94E9D828AF2FFC4EB544481DF7EB551',1772366400123456,NULL,'{"message_id":"msg_de3b4wzz6kye206eajh8agxnn3n1hvxeqy50w@example.org","subject":"Der Drucker – wieder","sender":{"email":"help@example.org","name":""},"to":[{"email":"help@example.org","name":""}],"cc":[],"bcc":[],"reply_to":[],"date":"2026-03-01T11:59:00.123456+00:00","in_reply_to":"1@example.com","references":[],"text":"Er druckt nicht. 🖨","html":"<p>Er druckt nicht.</p>","attachments":[{"number":0,"filename":"bild.png","content_type":"image/png","size":77,"content_id":"cid1","inline":true}],"automatic":false,"faults":["no date"]}');
INSERT INTO "message" VALUES('mbx_thsnweh6brbew','msg_thsnweh6brbew06eajh8aherqxxphkhx5p7q8','cnv_thsnweh6brbew06eajh8ahh2j6n0f2m2ct5rg','outbound','msg_thsnweh6brbew06eajh8aherqxxphkhx5p7q8@example.org',NULL,0,76,X'B3CE9EE80A04324E9788B602BAFDA0BC68F5CF1A1C1F9A1071C85FA4BE6FCAB2',1772366400123456,NULL,'{"message_id":"msg_thsnweh6brbew06eajh8aherqxxphkhx5p7q8@example.org","subject":"Der Drucker – wieder","sender":{"email":"help@example.org","name":""},"to":[{"email":"help@example.org","name":""}],"cc":[],"bcc":[],"reply_to":[],"date":"2026-03-01T11:59:00.123456+00:00","in_reply_to":null,"references":[],"text":"Er druckt nicht. 🖨","html":"<p>Er druckt nicht.</p>","attachments":[{"number":0,"filename":"bild.png","content_type":"image/png","size":77,"content_id":"cid1","inline":true}],"automatic":false,"faults":["no date"]}');
CREATE TABLE raw (
	mailbox_id TEXT NOT NULL, 
	message_id TEXT NOT NULL, 
	body BLOB NOT NULL, 
	CONSTRAINT raw_key PRIMARY KEY (mailbox_id, message_id), 
	CONSTRAINT raw_mailbox FOREIGN KEY(mailbox_id) REFERENCES mailbox (id) ON DELETE CASCADE
)
 STRICT

;
INSERT INTO "raw" VALUES('mbx_de3b4wzz6kye2','msg_de3b4wzz6kye206eajh8afs70eg45cazdq2v0',X'4D6573736167652D49443A203C31406578616D706C652E636F6D3E0D0A0D0A72617720FF00206279746573');
INSERT INTO "raw" VALUES('mbx_de3b4wzz6kye2','msg_de3b4wzz6kye206eajh8ag7kzdg0hexq8vdyd',X'4D6573736167652D49443A203C32406578616D706C652E636F6D3E0D0A0D0A72617720FF00206279746573');
INSERT INTO "raw" VALUES('mbx_de3b4wzz6kye2','msg_de3b4wzz6kye206eajh8agxnn3n1hvxeqy50w',X'4D6573736167652D49443A203C6D73675F6465336234777A7A366B796532303665616A68386167786E6E336E31687678657179353077406578616D706C652E6F72673E0D0A0D0A48656C6C6F');
INSERT INTO "raw" VALUES('mbx_thsnweh6brbew','msg_thsnweh6brbew06eajh8aherqxxphkhx5p7q8',X'4D6573736167652D49443A203C6D73675F7468736E776568366272626577303665616A68386168657271787870686B68783570377138406578616D706C652E6F72673E0D0A0D0A48656C6C6F');
CREATE TABLE secret_key (
	id TEXT NOT NULL, 
	created_at INTEGER NOT NULL, 
	CONSTRAINT secret_key_key PRIMARY KEY (id)
)
 STRICT

;
INSERT INTO "secret_key" VALUES('9b68eb37e71fb7df',1772366400123456);
CREATE TABLE webhook (
	id TEXT NOT NULL, 
	url TEXT NOT NULL, 
	secret BLOB NOT NULL, 
	types TEXT NOT NULL, 
	created_at INTEGER NOT NULL, 
	enabled INTEGER NOT NULL, 
	failing_since INTEGER, 
	last_error TEXT, 
	position INTEGER NOT NULL, 
	CONSTRAINT webhook_key PRIMARY KEY (id)
)
 STRICT

;
INSERT INTO "webhook" VALUES('whk_1','https://example.org/hook',X'9B68EB37E71FB7DFB7ABDB7BD3B74E18445EA08AF0BF80EC26B3EDCF7545E224050CDB7A627BB07D9999705E259C21B9','[]',1772366400123456,1,NULL,NULL,4);
CREATE TABLE webhook_call (
	mailbox_id TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	webhook_id TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	next_attempt_at INTEGER, 
	last_error TEXT, 
	CONSTRAINT webhook_call_key PRIMARY KEY (mailbox_id, position, webhook_id), 
	CONSTRAINT webhook_call_mailbox FOREIGN KEY(mailbox_id) REFERENCES mailbox (id) ON DELETE CASCADE, 
	CONSTRAINT webhook_call_webhook FOREIGN KEY(webhook_id) REFERENCES webhook (id) ON DELETE CASCADE
)
 WITHOUT ROWID,
 STRICT

;
INSERT INTO "webhook_call" VALUES('mbx_de3b4wzz6kye2',1,'whk_1',0,1772366400123456,NULL);
INSERT INTO "webhook_call" VALUES('mbx_de3b4wzz6kye2',2,'whk_1',0,1772366400123456,NULL);
INSERT INTO "webhook_call" VALUES('mbx_de3b4wzz6kye2',4,'whk_1',0,1772366400123456,NULL);
INSERT INTO "webhook_call" VALUES('mbx_thsnweh6brbew',3,'whk_1',0,1772366400123456,NULL);
CREATE TABLE worker (
	id TEXT NOT NULL, 
	host TEXT NOT NULL, 
	heartbeat_at INTEGER NOT NULL, 
	expires_at INTEGER NOT NULL, 
	CONSTRAINT worker_key PRIMARY KEY (id)
)
 WITHOUT ROWID,
 STRICT

;
INSERT INTO "worker" VALUES('wrk_one','host',1772366400123456,1772366430123456);
CREATE INDEX mailbox_provider ON mailbox (provider);
CREATE INDEX mailbox_reference ON mailbox (reference);
CREATE INDEX mailbox_worker_id ON mailbox (worker_id);
CREATE INDEX health_code ON health (code, code_at);
CREATE INDEX health_probe ON health (direction, next_probe_at);
CREATE INDEX message_conversation ON message (mailbox_id, conversation_id, received_at, id);
CREATE INDEX message_rfc ON message (mailbox_id, rfc_message_id, digest);
CREATE INDEX conversation_latest ON conversation (updated_at, id);
CREATE INDEX conversation_of_mailbox ON conversation (mailbox_id, updated_at, id);
CREATE INDEX delivery_conversation ON delivery (mailbox_id, conversation_id, id);
CREATE INDEX delivery_copy ON delivery (mailbox_id, id) WHERE sent_copy IN ('due');
CREATE INDEX delivery_expiring ON delivery (expires_at, mailbox_id) WHERE state IN ('deferred', 'held', 'queued', 'unconfirmed');
CREATE UNIQUE INDEX delivery_idempotency ON delivery (mailbox_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX delivery_latest ON delivery (accepted_at, id);
CREATE INDEX delivery_open ON delivery (mailbox_id, state, next_attempt_at, id) WHERE state IN ('deferred', 'held', 'queued', 'sending', 'unconfirmed');
CREATE INDEX delivery_state ON delivery (mailbox_id, state, id);
CREATE INDEX event_log ON event (position);
CREATE INDEX webhook_call_due ON webhook_call (webhook_id, next_attempt_at, position);
COMMIT;
