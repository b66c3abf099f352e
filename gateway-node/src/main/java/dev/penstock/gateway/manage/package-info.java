/// What a gateway answers to its operators, for itself and for all nodes of its cluster, and what
/// it does for them.
@NullMarked
package dev.penstock.gateway.manage;

import org.jspecify.annotations.NullMarked;
