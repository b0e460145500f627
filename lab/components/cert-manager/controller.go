package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	cliflag "k8s.io/component-base/cli/flag"
	logsapi "k8s.io/component-base/logs/api/v1"

	_ "github.com/cert-manager/cert-manager/internal/controller/feature"
	"github.com/cert-manager/cert-manager/pkg/apis/certmanager"
	"github.com/cert-manager/cert-manager/pkg/controller"
	_ "github.com/cert-manager/cert-manager/pkg/controller/acmechallenges"
	_ "github.com/cert-manager/cert-manager/pkg/controller/acmeorders"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificate-shim/ingresses"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/acme"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/vault"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/metrics"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"
	"github.com/cert-manager/cert-manager/pkg/healthz"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/acme"
	dnsutil "github.com/cert-manager/cert-manager/pkg/issuer/acme/dns/util"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/vault"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
)

const (
	workers        = 5
	healthzAddress = "0.0.0.0:9403"
	metricsAddress = "0.0.0.0:9402"
	// How long after its lease an expired leader still counts as alive.
	healthzGrace = 20 * time.Second
)

// What the controllers are told; cert-manager's own defaults cannot be imported without Venafi's client, which is served
// nowhere, so there are no Venafi issuers here and the defaults are repeated.
type settings struct {
	controller.ContextOptions
	controllers []string
	election    leaderelection.LeaderElectionConfig
	namespace   string
}

func runControllers(ctx context.Context, arguments []string) error {
	settings, err := readSettings(arguments)
	if err != nil {
		return err
	}
	factory, err := controller.NewContextFactory(ctx, settings.ContextOptions)
	if err != nil {
		return err
	}
	shared, err := factory.Build()
	if err != nil {
		return err
	}
	health := healthz.NewServer(healthzGrace)
	group, ctx := errgroup.WithContext(ctx)
	listen := func(address string, serve func(net.Listener) error) {
		group.Go(func() error {
			listener, err := net.Listen("tcp", address)
			if err != nil {
				return err
			}
			return serve(listener)
		})
	}
	listen(healthzAddress, func(listener net.Listener) error { return health.Start(ctx, listener) })
	listen(metricsAddress, func(listener net.Listener) error {
		server := shared.Metrics.NewServer(listener)
		context.AfterFunc(ctx, func() { _ = server.Close() })
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		return whileLeading(ctx, settings, shared, health, func(ctx context.Context) error {
			return control(ctx, settings, factory, shared)
		})
	})
	return group.Wait()
}

func readSettings(arguments []string) (*settings, error) {
	logging, gates := logsapi.NewLoggingConfiguration(), map[string]bool{}
	s := &settings{ContextOptions: controller.ContextOptions{
		KubernetesAPIQPS:   20,
		KubernetesAPIBurst: 50,
		IssuerOptions:      controller.IssuerOptions{ClusterIssuerAmbientCredentials: true},
		ACMEOptions: controller.ACMEOptions{
			HTTP01SolverResourceRequestCPU:    resource.MustParse("10m"),
			HTTP01SolverResourceRequestMemory: resource.MustParse("64Mi"),
			HTTP01SolverResourceLimitsCPU:     resource.MustParse("100m"),
			HTTP01SolverResourceLimitsMemory:  resource.MustParse("64Mi"),
			ACMEHTTP01SolverRunAsNonRoot:      true,
			DNS01CheckRetryPeriod:             10 * time.Second,
		},
		IngressShimOptions: controller.IngressShimOptions{
			DefaultAutoCertificateAnnotations: []string{"kubernetes.io/tls-acme"},
		},
		CertificateOptions: controller.CertificateOptions{
			CopiedAnnotationPrefixes: []string{
				"*", "-kubectl.kubernetes.io/", "-fluxcd.io/", "-argocd.argoproj.io/",
			},
			CertificateRequestMinimumBackoffDuration: time.Hour,
			CertificateRequestMaximumBackoffDuration: 32 * time.Hour,
		},
	}}
	flags := pflag.NewFlagSet("controller", pflag.ContinueOnError)
	logf.AddFlags(logging, flags)
	flags.Var(cliflag.NewMapStringBool(&gates), "feature-gates", "")
	flags.StringSliceVar(&s.controllers, "controllers", nil, "only what is switched off: -NAME")
	flags.StringVar(&s.ClusterResourceNamespace, "cluster-resource-namespace", "kube-system", "")
	flags.StringVar(&s.namespace, "leader-election-namespace", "kube-system", "")
	flags.DurationVar(&s.election.LeaseDuration, "leader-election-lease-duration", 60*time.Second, "")
	flags.DurationVar(&s.election.RenewDeadline, "leader-election-renew-deadline", 40*time.Second, "")
	flags.DurationVar(&s.election.RetryPeriod, "leader-election-retry-period", 15*time.Second, "")
	flags.BoolVar(&s.EnableOwnerRef, "enable-certificate-owner-ref", false, "")
	flags.IntVar(&s.MaxConcurrentChallenges, "max-concurrent-challenges", 60, "")
	flags.StringVar(&s.DefaultIssuerName, "default-issuer-name", "", "")
	flags.StringVar(&s.DefaultIssuerKind, "default-issuer-kind", "Issuer", "")
	flags.StringVar(&s.DefaultIssuerGroup, "default-issuer-group", certmanager.GroupName, "")
	flags.StringVar(&s.HTTP01SolverImage, "acme-http01-solver-image", "", "")
	flags.StringVar(&s.HTTP01SolverRuntimeClassName, "acme-http01-solver-runtime-class-name", "", "")
	flags.StringToStringVar(&s.HTTP01SolverExtraLabels, "acme-http01-solver-extra-labels", nil, "")
	recursiveOnly := flags.Bool("dns01-recursive-nameservers-only", false, "")
	flags.StringSliceVar(&s.DNS01Nameservers, "dns01-recursive-nameservers", dnsutil.RecursiveNameservers, "")
	err := parse(flags, arguments, logging, &gates)
	s.DNS01CheckAuthoritative = !*recursiveOnly
	return s, err
}

// whileLeading runs the work as the elected one of all replicas, and ends with it.
func whileLeading(
	ctx context.Context,
	settings *settings,
	shared *controller.Context,
	health *healthz.Server,
	work func(context.Context) error,
) error {
	identity, err := os.Hostname()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	election := settings.election
	election.Lock = &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: settings.namespace, Name: "cert-manager-controller"},
		Client:     shared.Client.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: identity, EventRecorder: shared.Recorder},
	}
	election.ReleaseOnCancel = true
	election.WatchDog = health.LeaderHealthzAdaptor
	election.Callbacks = leaderelection.LeaderCallbacks{
		OnStartedLeading: func(ctx context.Context) { cancel(work(ctx)) },
		OnStoppedLeading: func() {},
	}
	elector, err := leaderelection.NewLeaderElector(election)
	if err != nil {
		return err
	}
	elector.Run(ctx)
	if ctx.Err() == nil {
		return errors.New("another replica leads now")
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

func control(ctx context.Context, settings *settings, factory *controller.ContextFactory, shared *controller.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for name, construct := range controller.Known() {
		if slices.Contains(settings.controllers, "-"+name) {
			continue
		}
		made, err := construct(factory)
		if err != nil {
			return err
		}
		group.Go(func() error { return made.Run(workers, ctx) })
	}
	shared.SharedInformerFactory.Start(ctx.Done())
	shared.KubeSharedInformerFactory.Start(ctx.Done())
	shared.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	return group.Wait()
}
