"""Mutants of PTX: kernels that are wrong in one place, each of which the machine has to report."""
import re
import sys

# What relaxes a bound by one element, whichever way round it is compared.
RELAXED = {"ge": "gt", "lt": "le", "gt": "ge", "le": "lt"}


def barrier_deleted(body):
    return re.sub(r"\b(bar|barrier)\.sync[^;]*;", "", body)


def access_misaligned(body):
    return re.sub(r"(ld\.global\.v4\.f32[^;]*\[%rd\d+)\]", r"\g<1>+4]", body, count=1)


def index_off_by_one(body):
    """Every bound lies one too far."""
    return re.sub(r"setp\.(ge|lt|gt|le)\.u32", lambda match: f"setp.{RELAXED[match[1]]}.u32", body)


def double_write(body):
    """The second vector goes where the first went."""
    stores = re.findall(r"st\.global\.v4\.f32\s+(\[[^\]]*\])", body)
    return body.replace(stores[1], stores[0], 1) if len(stores) > 1 else body


def write_to_input(body):
    """The output's pointer is the input's."""
    return re.sub(r"(_param_0)\+8\]", r"\1]", body)


MUTANTS = {
    "forward_kernel": (access_misaligned, index_off_by_one, double_write, write_to_input),
    "backward_sums_kernel": (barrier_deleted,),
}


def mutants_of(name, body):
    """Name and body of each mutant of a kernel."""
    for kernel, mutations in MUTANTS.items():
        if kernel in name:
            for mutation in mutations:
                changed = mutation(body)
                if changed == body:
                    sys.exit(f"mutants: {name} has no place for {mutation.__name__}")
                yield mutation.__name__, changed
