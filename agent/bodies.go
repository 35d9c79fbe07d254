package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strings"
	"unicode/utf8"
)

type helloBody struct {
	V     []int  `json:"v"`
	Role  string `json:"role"`
	Nonce string `json:"nonce"`
	Epoch *int64 `json:"epoch,omitempty"`
}

type errorBody struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

type authBody struct {
	Mac string `json:"mac"`
}

type namedGroup struct {
	Gid  int64  `json:"gid"`
	Name string `json:"name"`
}

type peerBody struct {
	UID    int64        `json:"uid"`
	GID    int64        `json:"gid"`
	Groups []namedGroup `json:"groups"`
	User   string       `json:"user"`
	Home   string       `json:"home"`
	Shell  string       `json:"shell"`
	JobID  int64        `json:"jobId"`
	PID    int64        `json:"pid"`
	Host   string       `json:"host"`
}

// bytes64 travels as base64: arguments and paths need not be UTF-8.
type bytes64 []byte

func (b bytes64) MarshalJSON() ([]byte, error) {
	return json.Marshal(base64.StdEncoding.EncodeToString(b))
}

func (b *bytes64) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	raw, err := base64.StdEncoding.DecodeString(s)
	*b = raw
	return err
}

// outHave and inHave name offsets by channel.
type outHave struct {
	Out int64 `json:"1"`
	Err int64 `json:"2"`
}

type inHave struct {
	Script int64 `json:"3"`
	Env    int64 `json:"4"`
}

type inClosed struct {
	Script bool `json:"3"`
	Env    bool `json:"4"`
}

// rlimits maps setrlimit(2)'s names in small letters to soft and hard; -1 is no limit.
type rlimits map[string][]int64

type openBody struct {
	Restart int64     `json:"restart"`
	Argv    []bytes64 `json:"argv"`
	Cwd     bytes64   `json:"cwd"`
	Umask   int64     `json:"umask"`
	Limits  rlimits   `json:"limits"`
	Join    bool      `json:"join"`
	Have    outHave   `json:"have"`
	Session string    `json:"session"`
	// Stages: it knows section 12.
	Stages bool `json:"stages,omitempty"`
	// Ranks: for jobs of several nodes, too.
	Ranks bool `json:"ranks,omitempty"`
	// Calls: it knows section 14, and this host's administrator allows it.
	Calls bool `json:"calls,omitempty"`
}

type waitBody struct {
	Why string `json:"why"`
}

type refuseBody struct {
	Line string `json:"line"`
	Exit int64  `json:"exit"`
}

type goBody struct {
	Have  inHave `json:"have"`
	Epoch int64  `json:"epoch"`
}

type ackBody struct {
	Channel int   `json:"channel"`
	Offset  int64 `json:"offset"`
}

type grantBody struct {
	Burst      string `json:"burst"`
	Attempt    string `json:"attempt"`
	PodUID     string `json:"podUid"`
	Epoch      int64  `json:"epoch"`
	Generation string `json:"generation"`
}

type envChange struct {
	Drop []string          `json:"drop"`
	Set  map[string]string `json:"set"`
}

type userBody struct {
	UID   int64  `json:"uid"`
	GID   int64  `json:"gid"`
	User  string `json:"user"`
	Home  string `json:"home"`
	Shell string `json:"shell"`
}

// hostBody is one pod of a job: the host name that the job knows it by, and its address.
type hostBody struct {
	Name    string `json:"name"`
	Address string `json:"address"`
}

// teamBody is all pods of a job by rank, and which of them this one is.
type teamBody struct {
	Rank  int64      `json:"rank"`
	Hosts []hostBody `json:"hosts"`
	Port  int64      `json:"port"`
}

type startBody struct {
	Grant  grantBody `json:"grant"`
	Argv   []bytes64 `json:"argv"`
	Cwd    bytes64   `json:"cwd"`
	Umask  int64     `json:"umask"`
	Limits rlimits   `json:"limits"`
	Join   bool      `json:"join"`
	Env    envChange `json:"env"`
	Groups []int64   `json:"groups"`
	User   userBody  `json:"user"`
	// Names are those of the user's groups, by gid in decimal digits, where they are known.
	Names       map[string]string `json:"names,omitempty"`
	Team        *teamBody         `json:"team,omitempty"`
	NowMs       int64             `json:"nowMs"`
	EndsAtMs    *int64            `json:"endsAtMs,omitempty"`
	KillAfterMs int64             `json:"killAfterMs"`
	// Stays: when its script has ended main waits for what is asked of it still [section 12].
	Stays bool      `json:"stays,omitempty"`
	Warn  *warnBody `json:"warn,omitempty"`
	// Calls: the stand-in runs Slurm's programs for the script [section 14].
	Calls bool `json:"calls,omitempty"`
}

// warnBody is what --signal asks for: the job's steps get a signal some time before its end, by the clock of NowMs.
type warnBody struct {
	Signo int   `json:"signo"`
	AtMs  int64 `json:"atMs"`
}

type startedBody struct {
	Grant grantBody `json:"grant"`
	At    int64     `json:"at"`
	PID   int64     `json:"pid"`
}

type resumeBody struct {
	Have outHave `json:"have"`
}

type signalBody struct {
	ID    string `json:"id"`
	Signo int    `json:"signo"`
	Scope string `json:"scope"`
}

type signalledBody struct {
	ID string `json:"id"`
}

type rusageBody struct {
	UserMs      int64 `json:"userMs"`
	SystemMs    int64 `json:"systemMs"`
	MaxRSSBytes int64 `json:"maxRssBytes"`
}

type exitBody struct {
	Code   *int        `json:"code,omitempty"`
	Signal *int        `json:"signal,omitempty"`
	Lost   bool        `json:"lost,omitempty"`
	Reason string      `json:"reason,omitempty"`
	Rusage *rusageBody `json:"rusage,omitempty"`
	Ends   outHave     `json:"ends"`
}

type byeBody struct{}

type pingBody struct {
	N int64 `json:"n"`
}

type closeBody struct {
	Channel int    `json:"channel"`
	Size    int64  `json:"size"`
	Sha256  string `json:"sha256"`
}

// loginBody is one user of a login host, as its kernel and name service have him.
type loginBody struct {
	UID  int64  `json:"uid"`
	User string `json:"user"`
}

// holdsBody asks whether the token that this host lent its user is still good.
type holdsBody struct {
	UID   int64  `json:"uid"`
	User  string `json:"user"`
	Token string `json:"token"`
}

type tokenBody struct {
	Token string `json:"token"`
	ForMs int64  `json:"forMs"`
}

type readyBody struct {
	Main    string     `json:"main"`
	Fault   string     `json:"fault,omitempty"`
	Started *grantBody `json:"started,omitempty"`
	Exited  bool       `json:"exited,omitempty"`
	Have    inHave     `json:"have"`
	Closed  inClosed   `json:"closed"`
	Acked   *outHave   `json:"acked,omitempty"`
	Stages  bool       `json:"stages,omitempty"`
	Ranks   bool       `json:"ranks,omitempty"`
}

// newBody makes the empty body of a type; nil = this version does not know the type.
var newBody = map[byte]func() any{
	tHello:     func() any { return new(helloBody) },
	tError:     func() any { return new(errorBody) },
	tAuth:      func() any { return new(authBody) },
	tPeer:      func() any { return new(peerBody) },
	tOpen:      func() any { return new(openBody) },
	tWait:      func() any { return new(waitBody) },
	tRefuse:    func() any { return new(refuseBody) },
	tGo:        func() any { return new(goBody) },
	tAck:       func() any { return new(ackBody) },
	tStart:     func() any { return new(startBody) },
	tStarted:   func() any { return new(startedBody) },
	tResume:    func() any { return new(resumeBody) },
	tSignal:    func() any { return new(signalBody) },
	tSignalled: func() any { return new(signalledBody) },
	tExit:      func() any { return new(exitBody) },
	tBye:       func() any { return new(byeBody) },
	tPing:      func() any { return new(pingBody) },
	tPong:      func() any { return new(pingBody) },
	tClose:     func() any { return new(closeBody) },
	tReady:     func() any { return new(readyBody) },
	tStage:     func() any { return new(stageBody) },
	tBlobs:     func() any { return new(blobsBody) },
	tSigned:    func() any { return new(signedBody) },
	tStaged:    func() any { return new(stagedBody) },
	tLogin:     func() any { return new(loginBody) },
	tToken:     func() any { return new(tokenBody) },
	tHolds:     func() any { return new(holdsBody) },
	tCarried:   func() any { return new(carriedBody) },
	tCall:      func() any { return new(callBody) },
	tCalled:    func() any { return new(calledBody) },
}

// decode gives a pointer to the type's body, a dataBody for DATA, nil for a type that is to be ignored.
func decode(typ byte, body []byte) (any, error) {
	if typ == tData {
		return parseData(body)
	}
	empty := newBody[typ]
	if empty == nil && typ >= 128 {
		return nil, nil
	}
	if empty == nil {
		return nil, &frameError{"unknown_type", ""}
	}
	v := empty()
	if !utf8.Valid(body) {
		return nil, malformed("not UTF-8")
	}
	if err := strict(body, reflect.ValueOf(v).Elem()); err != nil {
		return nil, malformed("type %d: %v", typ, err)
	}
	if why := breach(v); why != "" {
		return nil, malformed("type %d: %s", typ, why)
	}
	return v, nil
}

// strict is json.Unmarshal for bodies, except that names are compared exactly (encoding/json folds case, the
// other side does not) and that a field without omitempty must be there.
func strict(text []byte, into reflect.Value) error {
	switch {
	case into.Kind() == reflect.Pointer && into.Type().Elem().Kind() == reflect.Struct:
		into.Set(reflect.New(into.Type().Elem()))
		return strict(text, into.Elem())
	case into.Kind() == reflect.Struct:
		return strictFields(text, into)
	case into.Kind() == reflect.Slice && into.Type().Elem().Kind() == reflect.Struct:
		var items []json.RawMessage
		if err := json.Unmarshal(text, &items); err != nil {
			return err
		}
		if items == nil {
			return malformed("null")
		}
		into.Set(reflect.MakeSlice(into.Type(), len(items), len(items)))
		for i, item := range items {
			if err := strict(item, into.Index(i)); err != nil {
				return err
			}
		}
		return nil
	case string(text) == "null":
		return malformed("null")
	}
	return json.Unmarshal(text, into.Addr().Interface())
}

func strictFields(text []byte, into reflect.Value) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return err
	}
	if fields == nil {
		return malformed("null")
	}
	for i := range into.NumField() {
		name, options, _ := strings.Cut(into.Type().Field(i).Tag.Get("json"), ",")
		value, there := fields[name]
		if !there {
			if options == "omitempty" {
				continue
			}
			return malformed("no %s", name)
		}
		if err := strict(value, into.Field(i)); err != nil {
			return malformed("%s: %v", name, err)
		}
	}
	return nil
}

// breach says what is wrong with a body whose fields have the right types.
func breach(v any) string {
	switch b := v.(type) {
	case *helloBody:
		return first(
			check(len(b.V) > 0, "no version"),
			check(b.Role == "standin" || b.Role == "gateway" || b.Role == "keeper", "role"),
			check(isHex(b.Nonce, 32), "nonce"),
			check(b.Epoch == nil || isOffset(*b.Epoch), "epoch"))
	case *loginBody:
		return first(check(isOffset(b.UID), "uid"), check(b.User != "", "no user"))
	case *holdsBody:
		return first(check(isOffset(b.UID), "uid"), check(b.User != "", "no user"), check(b.Token != "", "no token"))
	case *tokenBody:
		return first(check(b.Token != "", "no token"), check(isOffset(b.ForMs), "forMs"))
	case *authBody:
		return check(isHex(b.Mac, 64), "mac")
	case *peerBody:
		why := check(isOffset(b.UID) && isOffset(b.GID) && isOffset(b.JobID) && isOffset(b.PID), "negative number")
		for _, g := range b.Groups {
			why = first(why, check(isOffset(g.Gid), "gid"))
		}
		return why
	case *openBody:
		return first(
			check(isOffset(b.Restart), "restart"), check(isUmask(b.Umask), "umask"),
			limitsBreach(b.Limits), outBreach(b.Have), check(isHex(b.Session, 32), "session"))
	case *refuseBody:
		return check(b.Exit >= 0 && b.Exit <= 255, "exit")
	case *goBody:
		return first(inBreach(b.Have), check(isOffset(b.Epoch), "epoch"))
	case *ackBody:
		return first(check(b.Channel >= chOut && b.Channel <= chEnv, "channel"), check(isOffset(b.Offset), "offset"))
	case *startBody:
		why := first(
			check(isOffset(b.Grant.Epoch), "grant.epoch"), check(isUmask(b.Umask), "umask"), limitsBreach(b.Limits),
			check(isOffset(b.User.UID) && isOffset(b.User.GID), "user"),
			check(isOffset(b.NowMs) && isOffset(b.KillAfterMs), "times"),
			check(b.EndsAtMs == nil || isOffset(*b.EndsAtMs), "endsAtMs"),
			check(b.Warn == nil || b.Warn.Signo >= 1 && b.Warn.Signo <= 64 && isOffset(b.Warn.AtMs), "warn"),
			teamBreach(b.Team))
		for _, gid := range b.Groups {
			why = first(why, check(isOffset(gid), "groups"))
		}
		return why
	case *startedBody:
		return check(isOffset(b.Grant.Epoch) && isOffset(b.At) && isOffset(b.PID), "negative number")
	case *resumeBody:
		return outBreach(b.Have)
	case *signalBody:
		return first(
			check(b.ID != "", "no id"), check(b.Signo >= 1 && b.Signo <= 64, "signo"),
			check(b.Scope == scopeScript || b.Scope == scopeSteps || b.Scope == scopeFull || b.Scope == scopeAll, "scope"))
	case *signalledBody:
		return check(b.ID != "", "no id")
	case *exitBody:
		return exitBreach(b)
	case *pingBody:
		return check(isOffset(b.N), "n")
	case *closeBody:
		return first(
			check(b.Channel == chScript || b.Channel == chEnv, "channel"),
			check(isOffset(b.Size), "size"), check(isHex(b.Sha256, 64), "sha256"))
	case *readyBody:
		return first(
			check(b.Main == "absent" || b.Main == "ready" || b.Main == "refused", "main"), inBreach(b.Have),
			check(b.Started == nil || isOffset(b.Started.Epoch), "started"),
			check(b.Acked == nil || outBreach(*b.Acked) == "", "acked"))
	}
	return first(stageBreach(v), callBreach(v))
}

func exitBreach(b *exitBody) string {
	ways := 0
	for _, is := range []bool{b.Code != nil, b.Signal != nil, b.Lost} {
		if is {
			ways++
		}
	}
	return first(
		check(ways == 1, "not one of code, signal and lost"),
		check(b.Code == nil || *b.Code >= 0 && *b.Code <= 255, "code"),
		check(b.Signal == nil || *b.Signal >= 1 && *b.Signal <= 64, "signal"),
		outBreach(b.Ends))
}

func teamBreach(team *teamBody) string {
	if team == nil {
		return ""
	}
	why := first(
		check(len(team.Hosts) > 0, "team.hosts"),
		check(team.Port >= 1 && team.Port <= 65535, "team.port"),
		check(team.Rank >= 0 && team.Rank < int64(max(len(team.Hosts), 1)), "team.rank"))
	for _, host := range team.Hosts {
		why = first(why, check(host.Name != "" && host.Address != "", "team.hosts"))
	}
	return why
}

func limitsBreach(limits rlimits) string {
	for name, pair := range limits {
		if len(pair) != 2 || pair[0] < -1 || pair[1] < -1 {
			return "limit " + name
		}
	}
	return ""
}

func outBreach(h outHave) string { return check(isOffset(h.Out) && isOffset(h.Err), "offset") }
func inBreach(h inHave) string   { return check(isOffset(h.Script) && isOffset(h.Env), "offset") }

func isOffset(n int64) bool { return n >= 0 && n <= maxOffset }
func isUmask(n int64) bool  { return n >= 0 && n <= 0o777 }

func isHex(s string, digits int) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == digits && s == strings.ToLower(s)
}

func check(ok bool, what string) string {
	if ok {
		return ""
	}
	return what
}

func first(whys ...string) string {
	for _, why := range whys {
		if why != "" {
			return why
		}
	}
	return ""
}
