// Package v1beta1 stands in for FRR-K8s' API, whose module is not served: what MetalLB names of it, so that MetalLB
// compiles. The lab announces addresses in layer 2, where none of this is ever used.
package v1beta1

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var groupVersion = schema.GroupVersion{Group: "frrk8s.metallb.io", Version: "v1beta1"}

type FRRConfiguration struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec FRRConfigurationSpec `json:"spec"`
}

type FRRConfigurationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`

	Items []FRRConfiguration `json:"items"`
}

type FRRConfigurationSpec struct {
	BGP          BGPConfig            `json:"bgp"`
	NodeSelector metav1.LabelSelector `json:"nodeSelector"`
}

type BGPConfig struct {
	Routers     []Router     `json:"routers"`
	BFDProfiles []BFDProfile `json:"bfdProfiles"`
}

type Router struct {
	ASN       uint32     `json:"asn"`
	ID        string     `json:"id,omitempty"`
	VRF       string     `json:"vrf,omitempty"`
	Neighbors []Neighbor `json:"neighbors"`
	Prefixes  []string   `json:"prefixes"`
}

type DynamicASNMode string

type Neighbor struct {
	ASN                    uint32           `json:"asn,omitempty"`
	DynamicASN             DynamicASNMode   `json:"dynamicASN,omitempty"`
	Address                string           `json:"address,omitempty"`
	Interface              string           `json:"interface,omitempty"`
	Port                   *uint16          `json:"port,omitempty"`
	Password               string           `json:"password,omitempty"`
	PasswordSecret         SecretReference  `json:"passwordSecret"`
	HoldTime               *metav1.Duration `json:"holdTime,omitempty"`
	KeepaliveTime          *metav1.Duration `json:"keepaliveTime,omitempty"`
	ConnectTime            *metav1.Duration `json:"connectTime,omitempty"`
	EBGPMultiHop           bool             `json:"ebgpMultiHop,omitempty"`
	BFDProfile             string           `json:"bfdProfile,omitempty"`
	EnableGracefulRestart  bool             `json:"enableGracefulRestart,omitempty"`
	DualStackAddressFamily bool             `json:"dualStackAddressFamily,omitempty"`
	DisableMP              bool             `json:"disableMP,omitempty"`
	ToAdvertise            Advertise        `json:"toAdvertise"`
}

type SecretReference struct {
	Name      string `json:"name,omitempty"`
	Namespace string `json:"namespace,omitempty"`
}

type Advertise struct {
	Allowed                   AllowedOutPrefixes      `json:"allowed"`
	PrefixesWithLocalPref     []LocalPrefPrefixes     `json:"withLocalPref"`
	PrefixesWithCommunity     []CommunityPrefixes     `json:"withCommunity"`
	PrefixesWithAsPathPrepend []AsPathPrependPrefixes `json:"withAsPathPrepend"`
}

type AllowedOutPrefixes struct {
	Prefixes []string `json:"prefixes"`
}

type LocalPrefPrefixes struct {
	LocalPref uint32   `json:"localPref"`
	Prefixes  []string `json:"prefixes"`
}

type CommunityPrefixes struct {
	Community string   `json:"community"`
	Prefixes  []string `json:"prefixes"`
}

type AsPathPrependPrefixes struct {
	AsPathPrepend uint8    `json:"asPathPrepend"`
	Prefixes      []string `json:"prefixes"`
}

type BFDProfile struct {
	Name             string  `json:"name"`
	ReceiveInterval  *uint32 `json:"receiveInterval,omitempty"`
	TransmitInterval *uint32 `json:"transmitInterval,omitempty"`
	DetectMultiplier *uint32 `json:"detectMultiplier,omitempty"`
	EchoInterval     *uint32 `json:"echoInterval,omitempty"`
	EchoMode         *bool   `json:"echoMode,omitempty"`
	PassiveMode      *bool   `json:"passiveMode,omitempty"`
	MinimumTTL       *uint32 `json:"minimumTtl,omitempty"`
}

func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(groupVersion, &FRRConfiguration{}, &FRRConfigurationList{})
	metav1.AddToGroupVersion(scheme, groupVersion)
	return nil
}

func (in *FRRConfigurationSpec) DeepCopyInto(out *FRRConfigurationSpec) { *out = *copied(in) }

func (in *FRRConfiguration) DeepCopy() *FRRConfiguration { return copied(in) }

func (in *FRRConfiguration) DeepCopyObject() runtime.Object { return copied(in) }

func (in *FRRConfigurationList) DeepCopyObject() runtime.Object { return copied(in) }

func copied[T any](in *T) *T {
	text, err := json.Marshal(in)
	if err != nil {
		panic(err)
	}
	out := new(T)
	if err := json.Unmarshal(text, out); err != nil {
		panic(err)
	}
	return out
}
