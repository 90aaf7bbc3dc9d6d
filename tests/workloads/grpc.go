// Calls of gRPC-Go within one process, of each kind a prime number, and says how many.
//
// Built in GOPATH mode from Debian's golang-google-grpc-dev; no protoc: messages are raw bytes and the
// service is described by hand. With the argument "tls" the connection is encrypted. With "wait" it makes
// one call of each kind, says "ready", and goes on when a line comes in. With "load" it makes calls in
// parallel until its input ends, and says how many; with "rates" for ever, and says so all the time.
package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/status"
)

const (
	unary     = 401
	notFound  = 23
	aborted   = 11
	cancelled = 13
	chats     = 5
	messages  = 17
	size      = 100
)

type raw struct{}

func (raw) Marshal(v interface{}) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v interface{}) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}
func (raw) Name() string { return "raw" }

type handler func(context.Context, []byte) ([]byte, error)

func method(name string, f handler) grpc.MethodDesc {
	call := func(_ interface{}, ctx context.Context, dec func(interface{}) error, _ grpc.UnaryServerInterceptor) (interface{}, error) {
		var in []byte
		if err := dec(&in); err != nil {
			return nil, err
		}
		out, err := f(ctx, in)
		return &out, err
	}
	return grpc.MethodDesc{MethodName: name, Handler: call}
}

func echo(_ context.Context, in []byte) ([]byte, error) { return in, nil }

func fail(_ context.Context, in []byte) ([]byte, error) {
	return nil, status.Error(codes.Code(in[0]), "as asked")
}

func hang(ctx context.Context, _ []byte) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func chat(_ interface{}, stream grpc.ServerStream) error {
	for {
		var in []byte
		if err := stream.RecvMsg(&in); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := stream.SendMsg(&in); err != nil {
			return err
		}
	}
}

var service = grpc.ServiceDesc{
	ServiceName: "demo.Echo",
	HandlerType: (*interface{})(nil),
	Methods:     []grpc.MethodDesc{method("Unary", echo), method("Fail", fail), method("Hang", hang)},
	Streams:     []grpc.StreamDesc{{StreamName: "Chat", Handler: chat, ServerStreams: true, ClientStreams: true}},
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	template := x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	check(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// parallel calls 16 times in parallel, again and again, and counts.
func parallel(call func()) *int64 {
	calls := new(int64)
	for i := 0; i < 16; i++ {
		go func() {
			for {
				call()
				atomic.AddInt64(calls, 1)
			}
		}()
	}
	return calls
}

// load calls until there is no more input.
func load(call func()) {
	calls := parallel(call)
	fmt.Println("ready")
	began := time.Now()
	io.Copy(io.Discard, os.Stdin)
	total := atomic.LoadInt64(calls)
	fmt.Printf("calls %d\nrate %.0f\n", total, float64(total)/time.Since(began).Seconds())
}

// rates calls for ever, and says every 5 ms what time it is, in microseconds, and how many calls it made.
func rates(call func()) {
	calls := parallel(call)
	for range time.Tick(5 * time.Millisecond) {
		fmt.Printf("at %d %d\n", time.Now().UnixNano()/1000, atomic.LoadInt64(calls))
	}
}

func main() {
	encrypted, wait, endless, measured := false, false, false, false
	for _, arg := range os.Args[1:] {
		encrypted = encrypted || arg == "tls"
		wait = wait || arg == "wait"
		endless = endless || arg == "load"
		measured = measured || arg == "rates"
	}
	encoding.RegisterCodec(raw{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	var options []grpc.ServerOption
	security := grpc.WithInsecure()
	if encrypted {
		cert := certificate()
		options = append(options, grpc.Creds(credentials.NewServerTLSFromCert(&cert)))
		security = grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{InsecureSkipVerify: true}))
	}
	server := grpc.NewServer(options...)
	server.RegisterService(&service, nil)
	go server.Serve(listener)
	conn, err := grpc.Dial(listener.Addr().String(), security, grpc.WithBlock(),
		grpc.WithDefaultCallOptions(grpc.CallContentSubtype("raw")))
	check(err)

	call := func(ctx context.Context, method string, in []byte, want codes.Code) {
		var out []byte
		err := conn.Invoke(ctx, "/demo.Echo/"+method, &in, &out)
		if status.Code(err) != want {
			check(fmt.Errorf("%s: %v instead of %v", method, err, want))
		}
	}
	background := context.Background()
	message := make([]byte, size)
	all := func(unary, notFound, aborted, cancelled, chats int) {
		for i := 0; i < unary; i++ {
			call(background, "Unary", message, codes.OK)
		}
		for i := 0; i < notFound; i++ {
			call(background, "Fail", []byte{byte(codes.NotFound)}, codes.NotFound)
		}
		for i := 0; i < aborted; i++ {
			call(background, "Fail", []byte{byte(codes.Aborted)}, codes.Aborted)
		}
		for i := 0; i < cancelled; i++ {
			ctx, cancel := context.WithCancel(background)
			time.AfterFunc(5*time.Millisecond, cancel)
			call(ctx, "Hang", message, codes.Canceled)
			cancel()
		}
		for i := 0; i < chats; i++ {
			stream, err := conn.NewStream(background, &service.Streams[0], "/demo.Echo/Chat")
			check(err)
			var in []byte
			for j := 0; j < messages; j++ {
				check(stream.SendMsg(&message))
				check(stream.RecvMsg(&in))
			}
			check(stream.CloseSend())
			if err := stream.RecvMsg(&in); err != io.EOF {
				check(fmt.Errorf("chat: %v", err))
			}
		}
	}
	once := func() { call(background, "Unary", message, codes.OK) }
	if measured {
		rates(once)
	}
	if endless {
		load(once)
		return
	}
	if wait {
		all(1, 1, 1, 1, 1)
		fmt.Println("ready")
		_, err := bufio.NewReader(os.Stdin).ReadString('\n')
		check(err)
	}
	all(unary, notFound, aborted, cancelled, chats)
	// The server says GOAWAY, and waits until the client has closed the connection.
	server.GracefulStop()
	conn.Close()
	fmt.Printf("unary %d size %d\n", unary, size)
	fmt.Printf("status 5 %d\nstatus 10 %d\n", notFound, aborted)
	fmt.Printf("cancelled %d\nchats %d messages %d\n", cancelled, chats, messages)
	fmt.Printf("streams %d\n", unary+notFound+aborted+cancelled+chats)
	fmt.Println("goaway 1")
}
