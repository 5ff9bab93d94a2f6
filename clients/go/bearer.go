package governance

import (
	"context"
	"fmt"
	"net"
	"net/url"

	"google.golang.org/grpc/credentials"
)

// Bearer sends a token with every call: grpc.WithPerRPCCredentials(governance.Bearer(…)).
// token is asked for each call and stream, so it can hand out a new one before the old
// one expires; it must be quick and safe for concurrent use. Without TLS the token goes
// to a loopback address only; elsewhere the call fails, and nothing is sent.
func Bearer(token func(context.Context) (string, error)) credentials.PerRPCCredentials {
	return bearer{token}
}

// StaticToken is a token that never changes, for [Bearer].
func StaticToken(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}

type bearer struct {
	token func(context.Context) (string, error)
}

func (b bearer) GetRequestMetadata(ctx context.Context, uri ...string) (map[string]string, error) {
	request, _ := credentials.RequestInfoFromContext(ctx)
	if err := credentials.CheckSecurityLevel(request.AuthInfo, credentials.PrivacyAndIntegrity); err != nil && !isLoopback(uri) {
		return nil, fmt.Errorf("governance: the token is not sent without TLS to an address that is not loopback: %w", err)
	}
	token, err := b.token(ctx)
	if err != nil {
		return nil, err
	}
	return map[string]string{"authorization": "Bearer " + token}, nil
}

// RequireTransportSecurity is decided for each call, by where it goes.
func (bearer) RequireTransportSecurity() bool { return false }

func isLoopback(uris []string) bool {
	if len(uris) == 0 {
		return false
	}
	target, err := url.Parse(uris[0])
	if err != nil {
		return false
	}
	ip := net.ParseIP(target.Hostname())
	return target.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
