/// The REST calls of agents.
@NullMarked
package dev.penstock.gateway.rest;

import org.jspecify.annotations.NullMarked;
