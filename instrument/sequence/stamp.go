package sequence

const (
	second = int64(1e9)
	day    = 86400 * second

	// The years that nanoseconds in an int64 can tell apart.
	firstYear, lastYear = 1678, 2261
)

// parseStamp reads a time stamp as Parse describes it.
func parseStamp(b []byte) (t int64, dated, ok bool) {
	s := scanner{trim(b)}
	first, digits := s.number()
	switch {
	case digits == 0:
		return 0, false, false
	case s.peek() == ':':
		t, ok = s.clock(first, digits)
		return t, false, ok
	case s.peek() == '-' || s.peek() == '/':
		t, ok = s.date(first, digits)
		return t, true, ok
	}
	// A number of seconds: an uptime, or a Unix time.
	t = first*second + s.fraction()
	return t, true, len(s.b) == 0
}

// scanner holds what is still to be read of a time stamp.
type scanner struct{ b []byte }

func (s *scanner) peek() byte {
	if len(s.b) == 0 {
		return 0
	}
	return s.b[0]
}

// accept reads the byte c if it is next.
func (s *scanner) accept(c byte) bool {
	if s.peek() != c || len(s.b) == 0 {
		return false
	}
	s.b = s.b[1:]
	return true
}

// maxSeconds keeps a number of seconds and its fraction within an int64 of
// nanoseconds.
const maxSeconds = (1<<63-1)/second - 1

// number reads a decimal number and says how many digits it has: none if there
// is no number, or one of more than maxSeconds.
func (s *scanner) number() (v int64, digits int) {
	for digits < len(s.b) && s.b[digits]-'0' <= 9 {
		if v = v*10 + int64(s.b[digits]-'0'); v > maxSeconds {
			return 0, 0
		}
		digits++
	}
	s.b = s.b[digits:]
	return v, digits
}

// small reads a number of one or two digits, no more than limit.
func (s *scanner) small(limit int64) (int64, bool) {
	v, digits := s.number()
	return v, (digits == 1 || digits == 2) && v <= limit
}

// fraction reads .594301 or ,594 as nanoseconds and passes over the digits
// that are finer.
func (s *scanner) fraction() int64 {
	if c := s.peek(); c != '.' && c != ',' {
		return 0
	}
	s.b = s.b[1:]
	var v int64
	unit := second
	for len(s.b) > 0 && s.b[0]-'0' <= 9 {
		unit /= 10
		v += int64(s.b[0]-'0') * unit
		s.b = s.b[1:]
	}
	return v
}

// date reads what follows the year, and a time of day if there is one.
func (s *scanner) date(year int64, digits int) (t int64, ok bool) {
	sep := s.peek()
	s.accept(sep)
	month, okMonth := s.small(12)
	okSep := s.accept(sep)
	dom, okDay := s.small(31)
	if !okMonth || !okSep || !okDay || month == 0 || dom == 0 {
		return 0, false
	}
	switch {
	case digits == 2 && year < 69:
		year += 2000
	case digits == 2:
		year += 1900
	}
	if year < firstYear || year > lastYear {
		return 0, false
	}
	t = daysSince1970(year, month, dom) * day
	if len(s.b) == 0 {
		return t, true
	}
	if !s.accept('T') && !s.accept('t') && !s.accept(' ') {
		return 0, false
	}
	s.b = trimLeft(s.b)
	hour, digits := s.number()
	if digits == 0 {
		return t, true // words after a date
	}
	clock, ok := s.clock(hour, digits)
	return t + clock, ok
}

// clock reads what follows the hour, up to the zone. Words may follow.
func (s *scanner) clock(hour int64, digits int) (t int64, ok bool) {
	if digits > 2 || hour > 24 || !s.accept(':') {
		return 0, false
	}
	minute, ok := s.small(59)
	if !ok {
		return 0, false
	}
	var sec int64
	if s.accept(':') {
		if sec, ok = s.small(60); !ok {
			return 0, false
		}
	}
	t = (hour*3600+minute*60+sec)*second + s.fraction()
	offset, ok := s.zone()
	if !ok || len(s.b) > 0 && s.b[0] != ' ' {
		return 0, false
	}
	return t - offset, true
}

// zone reads Z, or an offset such as +02:00, -0700 or +02.
func (s *scanner) zone() (offset int64, ok bool) {
	b := trimLeft(s.b)
	if len(b) == 0 {
		return 0, true
	}
	switch b[0] {
	case 'Z', 'z':
		s.b = b[1:]
		return 0, true
	case '+', '-':
	default:
		return 0, true
	}
	z := scanner{b[1:]}
	v, digits := z.number()
	hour, minute := v, int64(0)
	switch {
	case digits == 4:
		hour, minute = v/100, v%100
	case digits == 2 && z.accept(':'):
		if minute, ok = z.small(59); !ok {
			return 0, false
		}
	case digits != 2:
		return 0, false
	}
	if hour > 23 || minute > 59 {
		return 0, false
	}
	s.b = z.b
	offset = (hour*3600 + minute*60) * second
	if b[0] == '-' {
		offset = -offset
	}
	return offset, true
}

// daysSince1970 counts the days from 1970-01-01 in the Gregorian calendar. A
// day past the end of its month is one of the next month.
func daysSince1970(year, month, dom int64) int64 {
	// Years start in March here, so that the leap day is the last of its year.
	if month < 3 {
		year--
		month += 12
	}
	return 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + dom - 1 - 719468
}
