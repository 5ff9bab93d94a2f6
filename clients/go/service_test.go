package governance_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"

	governance "polytraders.dev/governance/clients/go"
)

// The gate enforces, so that rejections are seen.
const configFile = `
gov.parameterchangeauditor: { mode: enforce }
tiers:
  risk.*.max_position_pusd: P1
`

// real is the service's own process, on a data folder and ports of its own.
var real struct {
	address string
	dataDir string
	tokens  sync.Map
	// connections are by address and token.
	connections sync.Map
}

func TestMain(m *testing.M) {
	if role := os.Getenv("GOVERNANCE_TEST_CHILD"); role != "" {
		child(role)
		return
	}
	code, err := withService(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withService(run func() int) (code int, err error) {
	folder, err := os.MkdirTemp("", "governance-go-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	config := filepath.Join(folder, "config.yaml")
	if err := os.WriteFile(config, []byte(configFile), 0o600); err != nil {
		return 1, err
	}
	real.dataDir = filepath.Join(folder, "data")
	service := command("serve")
	service.Env = append(service.Env,
		"GOVERNANCE_CONFIG_FILE="+config, "GOVERNANCE_GRPC_ADDR=127.0.0.1:0", "GOVERNANCE_HTTP_ADDR=127.0.0.1:0", "GOVERNANCE_LOG_LEVEL=error")
	service.Stderr = os.Stderr
	output, err := service.StdoutPipe()
	if err != nil {
		return 1, err
	}
	if err := service.Start(); err != nil {
		return 1, err
	}
	defer func() {
		err = errors.Join(err, service.Process.Signal(syscall.SIGTERM))
		_ = service.Wait() // It ends by the signal.
	}()
	lines := bufio.NewScanner(output)
	for real.address == "" && lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 1 && fields[0] == "gRPC" {
			real.address = fields[1]
		}
	}
	if real.address == "" {
		return 1, errors.New("the service did not start")
	}
	go func() { _, _ = io.Copy(io.Discard, output) }()
	return run(), nil
}

// command is the project's own, from the checkout.
func command(arguments ...string) *exec.Cmd {
	run := exec.Command("../../node_modules/.bin/node", append([]string{"../../src/cli/governance.ts"}, arguments...)...)
	run.Env = append(os.Environ(), "GOVERNANCE_DATA_DIR="+real.dataDir)
	return run
}

// token is a role's, of a subject named after it.
func token(t testing.TB, role string) string {
	t.Helper()
	if known, ok := real.tokens.Load(role); ok {
		return known.(string)
	}
	output, err := command("token", "--role", role, "--subject", "go-"+role, "--ttl", "1h").Output()
	if err != nil {
		t.Fatalf("no token for %s: %v", role, err)
	}
	minted := strings.TrimSpace(string(output))
	real.tokens.Store(role, minted)
	return minted
}

// connect makes a connection that comes back quickly. It is never closed: the goodbye of
// grpc-go is an error to the service's HTTP/2 library, and an address that brings many of
// them in a short time gets its next connections slowly.
func connect(t testing.TB, address, bearer string, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	key := address + " " + bearer
	if known, ok := real.connections.Load(key); ok && len(options) == 0 {
		return known.(*grpc.ClientConn)
	}
	conn, err := dial(address, bearer, options...)
	if err != nil {
		t.Fatal(err)
	}
	if len(options) == 0 {
		real.connections.Store(key, conn)
	}
	if address == real.address {
		ready(t, conn)
	}
	return conn
}

// ready waits for the connection, so that the 500 ms of a first call are the call's own.
func ready(t testing.TB, conn *grpc.ClientConn) {
	t.Helper()
	ctx := within(t, time.Minute)
	for state := conn.GetState(); state != connectivity.Ready; state = conn.GetState() {
		conn.Connect()
		if !conn.WaitForStateChange(ctx, state) {
			t.Fatalf("the connection is %s", state)
		}
	}
}

func dial(address, bearer string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	quick := backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.5, MaxDelay: 200 * time.Millisecond}
	return grpc.NewClient(address, append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithPerRPCCredentials(governance.Bearer(governance.StaticToken(bearer))),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: quick, MinConnectTimeout: time.Second}),
	}, options...)...)
}

// within is generous: machines are slow and busy.
func within(t testing.TB, limit time.Duration) context.Context {
	t.Helper()
	ctx, done := context.WithTimeout(context.Background(), limit)
	t.Cleanup(done)
	return ctx
}

// wire is a proxy that can be cut, shut and stalled.
type wire struct {
	target   string
	listener net.Listener
	mutex    sync.Mutex
	open     map[net.Conn]bool
	isShut   bool
	// moving is closed while bytes pass.
	moving chan struct{}
}

func wireTo(t testing.TB, target string) *wire {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{target: target, listener: listener, open: map[net.Conn]bool{}, moving: make(chan struct{})}
	close(w.moving)
	go w.accept()
	t.Cleanup(func() {
		_ = listener.Close()
		w.cut()
	})
	return w
}

func (w *wire) address() string { return w.listener.Addr().String() }

func (w *wire) accept() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", w.target)
		w.mutex.Lock()
		if err != nil || w.isShut {
			_ = near.Close()
			if far != nil {
				_ = far.Close()
			}
			w.mutex.Unlock()
			continue
		}
		w.open[near], w.open[far] = true, true
		w.mutex.Unlock()
		go w.pass(near, far)
		go w.pass(far, near)
	}
}

func (w *wire) pass(from, to net.Conn) {
	defer func() {
		_ = from.Close()
		_ = to.Close()
	}()
	buffer := make([]byte, 16*1024)
	for {
		n, err := from.Read(buffer)
		w.mutex.Lock()
		moving := w.moving
		w.mutex.Unlock()
		<-moving
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// cut ends all connections; new ones are taken.
func (w *wire) cut() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for conn := range w.open {
		_ = conn.Close()
	}
	clear(w.open)
}

// shut cuts, and takes no new connection until it is opened.
func (w *wire) shut(isShut bool) {
	w.mutex.Lock()
	w.isShut = isShut
	w.mutex.Unlock()
	if isShut {
		w.cut()
	}
}

// stall keeps connections and passes nothing, until the function it returns is called.
func (w *wire) stall() func() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	moving := make(chan struct{})
	w.moving = moving
	return sync.OnceFunc(func() { close(moving) })
}
