/// The cluster that this node is one of: its forming, the directory of its nodes, and what
/// operators are told of it. A node alone uses none of it but
/// [dev.penstock.gateway.cluster.Nodes#alone].
@NullMarked
package dev.penstock.gateway.cluster;

import org.jspecify.annotations.NullMarked;
