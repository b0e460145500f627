// cert-manager's five commands in one binary. Upstream has them in modules of their own, which no module proxy serves; its
// controllers, webhook and injector are libraries of the main module, so what is written here only reads the flags that
// the chart passes and starts them. The module's path lies below cert-manager's because those libraries are internal.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
	logsapi "k8s.io/component-base/logs/api/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	logf "github.com/cert-manager/cert-manager/pkg/logs"
	utilfeature "github.com/cert-manager/cert-manager/pkg/util/feature"
)

var commands = map[string]func(ctx context.Context, arguments []string) error{
	"acmesolver":      solveChallenge,
	"cainjector":      injectAuthorities,
	"controller":      runControllers,
	"startupapicheck": checkAPI,
	"webhook":         serveWebhook,
}

func main() {
	logf.InitLogs()
	defer logf.FlushLogs()
	ctrl.SetLogger(logf.Log)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(logf.NewContext(ctx, logf.Log), os.Args[1:]); err != nil {
		logf.Log.Error(err, "failed")
		logf.FlushLogs()
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) == 0 || commands[arguments[0]] == nil {
		return fmt.Errorf("which command? acmesolver, cainjector, controller, startupapicheck or webhook")
	}
	return commands[arguments[0]](ctx, arguments[1:])
}

// parse reads the flags of a long-running command and applies those that all of them share.
func parse(flags *pflag.FlagSet, arguments []string, logging *logsapi.LoggingConfiguration, gates *map[string]bool) error {
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if err := logf.ValidateAndApply(logging); err != nil {
		return err
	}
	return utilfeature.DefaultMutableFeatureGate.SetFromMap(*gates)
}
