/// How a node leaves so that nobody notices.
@NullMarked
package dev.penstock.gateway.drain;

import org.jspecify.annotations.NullMarked;
