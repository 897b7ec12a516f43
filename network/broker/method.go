package broker

// methodID is the class in the upper and the method in the lower 16 bits.
type methodID uint32

func (id methodID) class() uint16  { return uint16(id >> 16) }
func (id methodID) method() uint16 { return uint16(id) }

// The methods of AMQP 0-9-1 and of RabbitMQ's extensions that this broker sends or knows.
const (
	connectionStart   methodID = 10<<16 | 10
	connectionStartOk methodID = 10<<16 | 11
	connectionTune    methodID = 10<<16 | 30
	connectionTuneOk  methodID = 10<<16 | 31
	connectionOpen    methodID = 10<<16 | 40
	connectionOpenOk  methodID = 10<<16 | 41
	connectionClose   methodID = 10<<16 | 50
	connectionCloseOk methodID = 10<<16 | 51

	channelOpen    methodID = 20<<16 | 10
	channelOpenOk  methodID = 20<<16 | 11
	channelFlow    methodID = 20<<16 | 20
	channelFlowOk  methodID = 20<<16 | 21
	channelClose   methodID = 20<<16 | 40
	channelCloseOk methodID = 20<<16 | 41

	exchangeDeclare   methodID = 40<<16 | 10
	exchangeDeclareOk methodID = 40<<16 | 11
	exchangeDelete    methodID = 40<<16 | 20
	exchangeDeleteOk  methodID = 40<<16 | 21
	exchangeBind      methodID = 40<<16 | 30
	exchangeUnbind    methodID = 40<<16 | 40

	queueDeclare   methodID = 50<<16 | 10
	queueDeclareOk methodID = 50<<16 | 11
	queueBind      methodID = 50<<16 | 20
	queueBindOk    methodID = 50<<16 | 21
	queuePurge     methodID = 50<<16 | 30
	queuePurgeOk   methodID = 50<<16 | 31
	queueDelete    methodID = 50<<16 | 40
	queueDeleteOk  methodID = 50<<16 | 41
	queueUnbind    methodID = 50<<16 | 50
	queueUnbindOk  methodID = 50<<16 | 51

	basicQos          methodID = 60<<16 | 10
	basicQosOk        methodID = 60<<16 | 11
	basicConsume      methodID = 60<<16 | 20
	basicConsumeOk    methodID = 60<<16 | 21
	basicCancel       methodID = 60<<16 | 30
	basicCancelOk     methodID = 60<<16 | 31
	basicPublish      methodID = 60<<16 | 40
	basicReturn       methodID = 60<<16 | 50
	basicDeliver      methodID = 60<<16 | 60
	basicGet          methodID = 60<<16 | 70
	basicGetOk        methodID = 60<<16 | 71
	basicGetEmpty     methodID = 60<<16 | 72
	basicAck          methodID = 60<<16 | 80
	basicReject       methodID = 60<<16 | 90
	basicRecoverAsync methodID = 60<<16 | 100
	basicRecover      methodID = 60<<16 | 110
	basicRecoverOk    methodID = 60<<16 | 111
	basicNack         methodID = 60<<16 | 120

	confirmSelect   methodID = 85<<16 | 10
	confirmSelectOk methodID = 85<<16 | 11

	txSelect   methodID = 90<<16 | 10
	txCommit   methodID = 90<<16 | 20
	txRollback methodID = 90<<16 | 30
)

// The bits of method.flags, method by method.
const (
	exchangePassive    = 1 << 0
	exchangeDurable    = 1 << 1
	exchangeAutoDelete = 1 << 2
	exchangeInternal   = 1 << 3
	exchangeNoWait     = 1 << 4

	exchangeIfUnused     = 1 << 0
	exchangeDeleteNoWait = 1 << 1

	queuePassive    = 1 << 0
	queueDurable    = 1 << 1
	queueExclusive  = 1 << 2
	queueAutoDelete = 1 << 3
	queueNoWait     = 1 << 4

	queueIfUnused     = 1 << 0
	queueIfEmpty      = 1 << 1
	queueDeleteNoWait = 1 << 2

	consumeNoLocal   = 1 << 0
	consumeNoAck     = 1 << 1
	consumeExclusive = 1 << 2
	consumeNoWait    = 1 << 3

	publishMandatory = 1 << 0
	publishImmediate = 1 << 1

	ackMultiple = 1 << 0
	nackRequeue = 1 << 1

	// The only bit of a method that has one: no-wait of bind, purge, cancel and confirm.select, global of qos, no-ack of get,
	// requeue of reject and recover, active of flow.
	onlyFlag = 1 << 0
)

// method is a method a client has sent. It is one flat struct so that a connection can use the same one for every frame;
// each method has the fields its arguments need, and the others are zero. The byte slices alias the frame.
type method struct {
	id       methodID
	flags    byte
	name     []byte // queue, exchange (declare and delete), virtual host, security mechanism
	exchange []byte // of a bind or publish
	key      []byte // routing key or binding key
	tag      []byte // consumer tag
	kind     []byte // exchange type
	response []byte // of connection.start-ok
	table    table  // arguments, or client properties
	delivery uint64 // delivery tag

	prefetchSize uint32
	prefetch     uint16
	channelMax   uint16
	frameMax     uint32
	heartbeat    uint16
}

// The outcomes of decoding a method.
type methodError int

const (
	methodOK         methodError = iota
	methodMalformed              // the arguments are not what the method needs
	methodUnknown                // no such method, or none a client may send
	methodUnfinished             // a method of the specification that this broker does not implement
)

// decode reads the payload of a method frame.
func (m *method) decode(payload []byte) methodError {
	d := decoder{b: payload}
	*m = method{id: methodID(d.long())}
	switch m.id {
	case connectionStartOk:
		m.table = d.table()
		m.name = d.shortstr()
		m.response = d.longstr()
		d.shortstr() // locale
	case connectionTuneOk:
		m.channelMax, m.frameMax, m.heartbeat = d.short(), d.long(), d.short()
	case connectionOpen:
		m.name = d.shortstr()
		d.shortstr() // capabilities, reserved
		d.octet()    // insist, reserved
	case connectionClose, channelClose:
		d.short() // reply code
		d.shortstr()
		d.long() // class and method
	case connectionCloseOk, channelCloseOk:
	case channelOpen:
		d.shortstr() // out of band, reserved
	case channelFlow:
		m.flags = d.octet()
	case exchangeDeclare:
		d.short() // ticket, reserved, here and below
		m.name, m.kind, m.flags, m.table = d.shortstr(), d.shortstr(), d.octet(), d.table()
	case exchangeDelete:
		d.short()
		m.name, m.flags = d.shortstr(), d.octet()
	case queueDeclare:
		d.short()
		m.name, m.flags, m.table = d.shortstr(), d.octet(), d.table()
	case queueBind:
		d.short()
		m.name, m.exchange, m.key, m.flags, m.table = d.shortstr(), d.shortstr(), d.shortstr(), d.octet(), d.table()
	case queueUnbind:
		d.short()
		m.name, m.exchange, m.key, m.table = d.shortstr(), d.shortstr(), d.shortstr(), d.table()
	case queuePurge, queueDelete, basicGet:
		d.short()
		m.name, m.flags = d.shortstr(), d.octet()
	case basicQos:
		m.prefetchSize, m.prefetch, m.flags = d.long(), d.short(), d.octet()
	case basicConsume:
		d.short()
		m.name, m.tag, m.flags, m.table = d.shortstr(), d.shortstr(), d.octet(), d.table()
	case basicCancel:
		m.tag, m.flags = d.shortstr(), d.octet()
	case basicPublish:
		d.short()
		m.exchange, m.key, m.flags = d.shortstr(), d.shortstr(), d.octet()
	case basicAck, basicReject, basicNack:
		m.delivery, m.flags = d.longlong(), d.octet()
	case basicRecover, basicRecoverAsync, confirmSelect:
		m.flags = d.octet()
	case txSelect, txCommit, txRollback, exchangeBind, exchangeUnbind:
		return methodUnfinished
	default:
		if len(payload) < 4 {
			return methodMalformed
		}
		return methodUnknown
	}
	if !d.done() {
		return methodMalformed
	}
	return methodOK
}

// has tells whether the bit of the flags is set.
func (m *method) has(bit byte) bool { return m.flags&bit != 0 }

// contentHeader is what this broker needs from a content header frame (AMQP 0-9-1, 4.2.6.1).
type contentHeader struct {
	class      uint16
	size       uint64 // of the body
	expiration []byte // nil if not given
	userID     []byte // nil if not given
}

// decode reads and checks the payload of a content header frame to its last octet, because it is passed on to consumers
// as it is.
func (h *contentHeader) decode(payload []byte) bool {
	d := decoder{b: payload}
	*h = contentHeader{class: d.short()}
	weight := d.short()
	h.size = d.longlong()
	flags := d.short()
	if weight != 0 || flags&3 != 0 { // bit 0 announces more flags, bit 1 stands for nothing
		return false
	}
	for bit := 15; bit >= 2 && flags != 0; bit-- {
		if flags&(1<<bit) == 0 {
			continue
		}
		switch bit {
		case 13: // headers, which go to consumers as they are
			d.common = true
			d.table()
		case 12, 11: // delivery mode, priority
			d.octet()
		case 8:
			h.expiration = d.shortstr()
		case 6: // timestamp
			d.longlong()
		case 4:
			h.userID = d.shortstr()
		default: // content type, content encoding, correlation id, reply to, message id, type, application id, cluster id
			d.shortstr()
		}
	}
	return d.done()
}
