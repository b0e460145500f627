#!/usr/bin/env bash
# The floor that site.yml is measured against: the same cluster from the same bare lab nodes by ssh, apt and kubeadm alone, all nodes in
# parallel. Prints "MARK SECONDS" lines. It checks nothing, resumes nothing and knows the lab: it is a stopwatch, not a tool.
#
# bare_cluster.sh STATE_DIRECTORY NETWORK_PREFIX NODES_FILE, where a line of NODES_FILE is "name address labels taints"
# (comma-separated, - for none) and the first line is the control plane.
set -euo pipefail

state=$1 network=$2 nodes=$3
mirror=http://$network.1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
password=$("$(dirname "$0")/../.venv/bin/ansible-vault" view --vault-password-file "$state/vault-password" "$state/become.vault")
first=$(head -n 1 "$nodes" | cut -d' ' -f1)
began=$(date +%s%N)

mark() { printf '%s %s\n' "$1" "$(( ($(date +%s%N) - began) / 1000000 ))" | awk '{printf "%s %.1f\n", $1, $2 / 1000}'; }

# Runs the script on standard input as root on a node.
on() {
    { echo "$password"; echo "set -e; umask 022"; cat; } |
        ssh -F "$state/ssh_config" -o LogLevel=ERROR "$1" 'sudo -S -p "" bash -s' >"$work/$1.log" 2>&1 ||
        { echo "$1 failed:" >&2; tail -n 20 "$work/$1.log" >&2; return 1; }
}

everywhere() {
    local name processes=()
    while read -r name _; do
        { "$1" "$name" | on "$name"; } & processes+=($!)
    done < "${2:-$nodes}"
    wait "${processes[@]}"
}

prepare() {
    cat <<SCRIPT
mkdir -p /etc/apt/keyrings /etc/containerd/certs.d/_default
python3 -c "
import urllib.request as u
for name, path in (('kubernetes', 'kubernetes/v1.36'), ('containerd', 'containerd')):
    open('/etc/apt/keyrings/%s.asc' % name, 'wb').write(u.urlopen('$mirror/apt/%s/Release.key' % path).read())"
echo "deb [signed-by=/etc/apt/keyrings/kubernetes.asc] $mirror/apt/kubernetes/v1.36/ /" > /etc/apt/sources.list.d/kubernetes.list
echo "deb [signed-by=/etc/apt/keyrings/containerd.asc] $mirror/apt/containerd/ /" > /etc/apt/sources.list.d/containerd.list
sysctl -qw net.ipv4.ip_forward=1
cat >> /etc/hosts <<HOSTS
$(awk '{print $2, $1}' "$nodes")
$(head -n 1 "$nodes" | cut -d' ' -f2) api.kubernetes.internal
HOSTS
printf '[host."$mirror:5000"]\n  capabilities = ["pull", "resolve"]\n' > /etc/containerd/certs.d/_default/hosts.toml
cat > /etc/containerd/config.toml <<TOML
version = 3
[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.images'.registry]
config_path = '/etc/containerd/certs.d'
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = 'registry.k8s.io/pause:3.10.2'
TOML
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install --yes --no-install-recommends -o Dpkg::Options::=--force-confold containerd runc kubeadm kubelet kubectl
SCRIPT
}

initialise() {
    cat <<SCRIPT
cat > /root/kubeadm.yaml <<YAML
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
nodeRegistration: {name: $first, ignorePreflightErrors: [SystemVerification, Swap]}
localAPIEndpoint: {advertiseAddress: $(head -n 1 "$nodes" | cut -d' ' -f2)}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.36.4
controlPlaneEndpoint: api.kubernetes.internal:6443
networking: {podSubnet: 192.168.0.0/16, serviceSubnet: 10.96.0.0/12}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
featureGates: {KubeletInUserNamespace: true}
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 100Mi, nodefs.available: 1Gi, nodefs.inodesFree: 1%, imagefs.available: 1Gi}
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
conntrack: {maxPerCore: 0, min: 0}
YAML
kubeadm init --config /root/kubeadm.yaml
SCRIPT
}

join() { printf '%s --ignore-preflight-errors=SystemVerification,Swap\n' "$(cat "$work/join")"; }

everywhere prepare
mark prepared
initialise | on "$first"
mark initialised
echo "kubeadm token create --print-join-command" | on "$first"
grep '^kubeadm join' "$work/$first.log" > "$work/join"
tail -n +2 "$nodes" > "$work/workers"
everywhere join "$work/workers" & joining=$!
on "$first" <<SCRIPT
export KUBECONFIG=/etc/kubernetes/admin.conf
python3 -c "import urllib.request as u; print(u.urlopen('$mirror/manifests/calico/v3.28.5/calico-vxlan.yaml').read().decode())" |
    kubectl apply --server-side -f - >/dev/null
SCRIPT
mark network-applied
wait "$joining"
mark joined
{
    echo 'export KUBECONFIG=/etc/kubernetes/admin.conf'
    while read -r name _ labels taints; do
        [ "$labels" = - ] || echo "kubectl label node $name --overwrite ${labels//,/ } >/dev/null"
        [ "$taints" = - ] || echo "kubectl taint node $name --overwrite ${taints//,/ } >/dev/null"
    done < "$nodes"
} | on "$first"
mark labelled
on "$first" <<'SCRIPT'
export KUBECONFIG=/etc/kubernetes/admin.conf
kubectl wait --for=condition=Ready nodes --all --timeout=600s
for workload in ds/calico-node ds/kube-proxy deploy/calico-kube-controllers deploy/coredns; do
    kubectl -n kube-system rollout status --timeout=600s "$workload"
done
SCRIPT
mark ready
