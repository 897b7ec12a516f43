package broker

import "fmt"

// replyCode is a code of a close or return method (AMQP 0-9-1, 1.2).
type replyCode uint16

const (
	noRoute            replyCode = 312
	connectionForced   replyCode = 320
	accessRefused      replyCode = 403
	notFound           replyCode = 404
	resourceLocked     replyCode = 405
	preconditionFailed replyCode = 406
	frameError         replyCode = 501
	commandInvalid     replyCode = 503
	channelError       replyCode = 504
	unexpectedFrame    replyCode = 505
	notAllowed         replyCode = 530
	notImplemented     replyCode = 540
)

// String returns the name RabbitMQ begins its reply texts with.
func (c replyCode) String() string {
	switch c {
	case connectionForced:
		return "CONNECTION_FORCED"
	case accessRefused:
		return "ACCESS_REFUSED"
	case notFound:
		return "NOT_FOUND"
	case resourceLocked:
		return "RESOURCE_LOCKED"
	case preconditionFailed:
		return "PRECONDITION_FAILED"
	case frameError:
		return "FRAME_ERROR"
	case commandInvalid:
		return "COMMAND_INVALID"
	case channelError:
		return "CHANNEL_ERROR"
	case unexpectedFrame:
		return "UNEXPECTED_FRAME"
	case notAllowed:
		return "NOT_ALLOWED"
	case notImplemented:
		return "NOT_IMPLEMENTED"
	}
	return fmt.Sprintf("CODE_%d", uint16(c))
}

// exception is a mistake of a client, to be told to it. A soft one closes the channel, a hard one the connection.
type exception struct {
	code replyCode
	text string
}

// refuse makes an exception.
func refuse(code replyCode, format string, a ...any) *exception {
	return &exception{code, fmt.Sprintf(format, a...)}
}

// Error returns the reply text as RabbitMQ writes it.
func (e *exception) Error() string { return e.code.String() + " - " + e.text }

// soft tells whether only the channel has to close.
func (e *exception) soft() bool {
	switch e.code {
	case accessRefused, notFound, resourceLocked, preconditionFailed:
		return true
	}
	return false
}

// closeArgs returns the arguments of the close method that tells the exception, caused by the method.
func (e *exception) closeArgs(cause methodID) args {
	return args{}.short(uint16(e.code)).shortstr(e.Error()).short(cause.class()).short(cause.method())
}
