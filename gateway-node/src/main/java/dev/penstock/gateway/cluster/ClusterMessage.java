package dev.penstock.gateway.cluster;

/// What leaves a node towards another, as CBOR with its fields by name. A field may be added: nodes
/// of an older release ignore it, and nodes of a newer one get null or zero from the older. No
/// field changes its meaning.
public interface ClusterMessage {}
