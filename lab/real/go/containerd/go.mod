// containerd 2 for the lab's nodes: from this major version on supplementalGroupsPolicy Strict works.
module spillway.dev/lab/containerd

go 1.23.0

tool (
	github.com/containerd/containerd/v2/cmd/containerd
	github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2
	github.com/containerd/containerd/v2/cmd/ctr
)

require github.com/containerd/containerd/v2 v2.1.4
