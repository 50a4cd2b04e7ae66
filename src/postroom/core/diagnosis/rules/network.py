"""Rows about names, routes, refused and lost connections. TLS words are asked before these: see `tls`."""

from __future__ import annotations

from postroom.core.diagnosis.evidence import Stage
from postroom.core.diagnosis.phrase import phrases
from postroom.core.diagnosis.rule import Rule

DOWN = "server_connection"
AT_CONNECT = {"stage": Stage.CONNECT}
ANSWERED = (
    "AUTHENTICATIONFAILED",
    "AUTHORIZATIONFAILED",
    "CONTACTADMIN",
    "EXPIRED",
    "NOPERM",
    "NONEXISTENT",
    "OVERQUOTA",
    "PRIVACYREQUIRED",
    "TRYCREATE",
)
"""Response codes of a server that answered: what the connection did afterwards is not the cause."""

RULES = (
    Rule(
        id="network.name",
        smtp=DOWN,
        imap=DOWN,
        cause="name_unknown",
        given={"stage": Stage.DNS},
        unless_replies=(5,),
        words=phrases(
            """
            getaddrinfo | gaierror | enotfound | eai_ | name or service not known | nodename nor servname
            no address associated | name resolution | resolve host | couldn't resolve | can't resolve
            cannot resolve | unable to resolve | failed to resolve | not resolve | unresolved | unknown host
            unknownhost | unknown smtp host | unknown imap host | no such host | nxdomain | servfail
            host not found | dns lookup | dns error | dns query | dns … fail | lookup … no such | invalid host
            php_network_getaddresses | wsahost_not_found | 11001 | hostname could not be parsed
            domain name not found | no data record of requested type | the name does not | 不知道这样的主机
            hôte inconnu | host desconocido | host is unknown | bad hostname | host could not be found
            host was not found | host lookup | server name … could not be resolved | dns name does not exist
            dns resolution | nicht aufgelöst | hôte … introuvable | host sconosciuto | host desconhecido
            неизвестный хост | не удается разрешить | 找不到主机 | 无法解析 | 名前解決
            """
        ),
        example='"error": "getaddrinfo EAI_AGAIN smtp.gmail.com"',
        source="RFC 3493 getaddrinfo; Node, Java, Python, Go, PHP, curl (6)",
    ),
    Rule(
        id="network.refused",
        smtp=DOWN,
        imap=DOWN,
        unless_codes=ANSWERED,
        cause="connection_refused",
        given=AT_CONNECT,
        unless_replies=(5,),
        words=phrases(
            """
            connection refused | connectionrefused | econnrefused | actively refused | wsaeconnrefused | 10061
            errno 111 | errno 61 | (111) | refused the connection | refused connection | 由于目标计算机积极拒绝
            connexion refusée | verbindung verweigert | verbindungsaufbau abgelehnt | conexión rehusada
            refused to connect | connection was refused | connection rejected by | conexão recusada
            connessione rifiutata | conexión rechazada | отказано | отверг запрос | 拒绝连接 | 積極的に拒否
            接続を拒否 | connect call failed
            """
        ),
        example="ConnectionRefusedError: [Errno 111] Connection refused",
        source="POSIX ECONNREFUSED; WSAECONNREFUSED 10061",
    ),
    Rule(
        id="network.unreachable",
        smtp=DOWN,
        imap=DOWN,
        cause="unreachable",
        given=AT_CONNECT,
        unless_replies=(5,),
        unless_codes=("UNAVAILABLE", "TEMPFAIL", "SERVERBUG"),
        unless_statuses=("NO",),
        words=phrases(
            """
            enetunreach | no route to host | ehostunreach | noroutetohost | host is down | ehostdown | enetdown
            network is down | 10065 | 10051 | wsaenetunreach | permission denied - connect | eacces | [errno 13]
            (13) | (99) | cannot assign requested address | eaddrnotavail | firewall | unreachable | wsaeacces
            10013 | netzwerk ist nicht erreichbar | internet connection | no internet | offline
            """
        ),
        example="OSError: [Errno 101] Network is unreachable",
        source="POSIX ENETUNREACH, EHOSTUNREACH, EACCES",
    ),
    Rule(
        id="network.timeout",
        smtp=DOWN,
        imap=DOWN,
        unless_codes=ANSWERED,
        cause="timeout",
        given=AT_CONNECT,
        words=phrases(
            """
            timed out | timed-out | timeout | time out | time-out | etimedout | esockettimedout | 10060
            errno 110 | errno 60 | (110) | deadline exceeded | did not properly respond | did not respond
            no response | not responding | doesn't respond | took too long | 超时 | zeitüberschreitung | délai
            tiempo de espera | never received | no greeting | no answer | deadline_exceeded
            deadline has elapsed | ne répond pas | tempo limite | tiempo agotado | agotado el tiempo
            tempo scaduto | таймаут | время ожидания | истекло время | タイムアウト | 超時 | 等待
            net::readtimeout | readtimeout | opentimeout | sockettimeout
            required time | within … seconds | gave up waiting | operation would block
            """
        ),
        example=(
            "TimeoutError: [WinError 10060] A connection attempt failed because the connected party did not "
            "properly respond after a period of time"
        ),
        source="POSIX ETIMEDOUT; WSAETIMEDOUT 10060; nodemailer ETIMEDOUT",
    ),
    Rule(
        id="network.lost",
        smtp=DOWN,
        imap=DOWN,
        unless_codes=ANSWERED,
        cause="connection_lost",
        given={"stage": Stage.FETCH},
        words=phrases(
            """
            connectionlost | connection reset | econnreset | connectionreset | reset by peer | broken pipe
            brokenpipe | epipe | econnaborted | connectionaborted | connection closed | connection was closed
            connection is closed | connection has been closed | unexpectedly closed | closed unexpectedly
            closed the connection | closed by | connection lost | lost connection | connection dropped
            dropped connection | connection shutdown | connection shut down | connection terminated
            terminated the connection | connection ended | connection not available | connection not open
            not connected | disconnect | forcibly closed | eof | end of file | end of stream | end of zlib
            unexpected end | premature | socket is closed | socket hang up | socket error | socketexception
            socketerror | socket exception | folderclosed | storeclosed | server closing
            failure when receiving | failed to receive | failure when sending | 10053 | 10054 | errno 104
            errno 32 | errno 54 | 强迫关闭 | lost folder connection | autologout | autologged | logged out
            idle for too long | inactivity | session expired | session timed | shutting down | going down
            server is shutting | please reconnect | read error | write error | not-connected | noconnection
            no connection | broken connection | incomplete read | incompleteread | 0 bytes read | zero bytes
            lost the connection | connection … broken | transport … closed | channel closed | stream closed
            remote end | connection expired | connection abort
            stream was destroyed | err_stream | closing connection 0 | command: … => system error
            bad record mac | decryption failed | decryption_failed | connection was lost | socket close
            closed network connection | connection was aborted | connection was reset
            connection was terminated | connection was dropped | connection was interrupted
            connection interrupted | connection … was interrupted | empty response | hung up | closed connection
            stream ended
            stream has ended | end-of-file | end of input | lost the server | not reachable any more
            no longer connected | timed out waiting | keepalive | verbindung … getrennt
            verbindung … unterbrochen | verbindung … zurückgesetzt | connexion … fermée
            connexion … interrompue | connexion … perdue | conexión … cerrada | conexão … fechada
            connessione … chiusa | соединение … разорван | соединение … сброшен | соединение … закрыт
            принудительно разорвал | 连接已断开 | 连接被重置 | 连接关闭 | 切断されました | 強制的に切断
            connection broken | connection was broken | connection … was lost | undefined ssl object
            not currently open | closed folder | read response error | response null | init socket error | fwrite()
            """
        ),
        example="ConnectionResetError: [Errno 104] Connection reset by peer",
        source="POSIX ECONNRESET, EPIPE; Java, Node, .NET, Go, imaplib, smtplib",
    ),
    Rule(
        id="network.lost.reading",
        smtp=DOWN,
        imap=DOWN,
        unless_codes=ANSWERED,
        unless_statuses=("NO", "BAD"),
        cause="connection_lost",
        given={"stage": Stage.FETCH},
        words=phrases("can't read | unable to read"),
        example="* Unable to read from the server",
        source="clients; a server that answers NO so speaks of its own files",
    ),
    Rule(
        id="network.server-said-later",
        smtp=DOWN,
        imap=DOWN,
        cause="server_later",
        stages=frozenset({Stage.CONNECT, Stage.GREETING, Stage.EHLO, Stage.STARTTLS, Stage.CAPABILITY}),
        unless_replies=(5,),
        words=phrases(
            """
            try again later | temporarily | temporary | too busy | server busy | is busy | overload
            not available | unavailable | maintenance | try later | service not ready | no server available
            retry later | too many | load average | internal error | server error | negative welcome
            vorübergehend | später | momentan | réessayer | plus tard | temporalmente | temporariamente
            temporaneamente | временно | позже | 暂时 | 稍后 | 繁忙 | 一時的
            """
        ),
        unless=phrases("no smtp service"),
        example="421 4.7.0 Try again later, closing connection.",
        given={"stage": Stage.GREETING},
        source="RFC 5321 section 3.8 (421); RFC 9051 section 7.1.5 (BYE)",
    ),
    Rule(
        id="network.server-said-later-for-good",
        smtp=DOWN,
        cause="server_later",
        stages=frozenset({Stage.CONNECT, Stage.GREETING, Stage.EHLO}),
        replies=(5,),
        words=phrases(
            "try later | try again later | plus tard | not accepting connections | temporarily unavailable | overload"
            " | maintenance"
        ),
        example="554 pv50p00im-smtpin001.me.com ESMTP not accepting connections",
        given={"stage": Stage.GREETING},
        source="iCloud, Orange: a 5xx in the greeting that asks for another try",
    ),
    Rule(
        id="network.unspecific",
        smtp=DOWN,
        imap=DOWN,
        unless_replies=(5,),
        unless_codes=(*ANSWERED, "UNAVAILABLE", "TEMPFAIL", "SERVERBUG", "INUSE", "LIMIT"),
        cause="connection_failed",
        given=AT_CONNECT,
        words=phrases(
            """
            could not connect | couldn't connect | can't connect | cannot connect | unable to connect
            failed to connect | connection failed | connection attempt failed | connect error | connection error
            connect failed | could not open connection | can't open connection | failed to open
            could not establish | unable to establish | cannot establish | failed to establish | esocket
            econnection | connectionerror | connectexception | mailconnectexception | connect() failed
            not reach | 无法连接 | 连接失败 | error connecting | connecting to | connection problem
            connection couldn't be established | could not be established | connection not established
            no connection could be | unable to reach | cannot reach | can't reach | verbindung … fehlgeschlagen
            verbindung … nicht | impossible de se connecter | connexion … échoué | impossibile connettersi
            no se pudo conectar | não foi possível conectar | не удалось подключиться | не удалось установить
            не удается подключиться | 连接服务器失败 | 接続できません | unable to open connection
            invalid greeting | network error | max retries exceeded | httpsconnectionpool
            """
        ),
        unless=phrases(
            """
            connection setup failed | starttls
            """
        ),
        example="SMTP Error: Could not connect to SMTP host.",
        source="PHPMailer, Java Mail, nodemailer without the cause",
    ),
)
