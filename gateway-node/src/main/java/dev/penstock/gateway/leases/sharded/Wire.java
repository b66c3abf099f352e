package dev.penstock.gateway.leases.sharded;

/// What leaves the node, for another node or for the database. [LeaseSerializer] names each such
/// type, and nodes of two releases must understand each other: a field may be added, none renamed.
interface Wire {}
