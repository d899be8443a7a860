// Everything that proto/generate.sh makes from proto/; edit those files, never the generated ones.
#ifndef CSKEINPROTO_H
#define CSKEINPROTO_H

#include "skein/v1/envelope.pb-c.h"
#include "skein/v1/expert.pb-c.h"
#include "skein/v1/member.pb-c.h"
#include "skein/v1/step.pb-c.h"

#endif
