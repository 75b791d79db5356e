//! What is trained: every tensor of the model, or the adapters beside its linear layers.

use psi_model::{Decoder, Role};
use psi_tensor::Parameter;

/// What an optimiser needs to know of a parameter beside its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// A matrix between hidden states: Muon's.
    Hidden,
    /// An embedding, the head, or an adapter's matrix.
    Matrix,
    /// A norm's weights or a bias: no weight decay.
    Vector,
}

/// Calls `f` with the name and group of every parameter that has an id, in a fixed order.
pub(crate) fn for_each_trained(
    decoder: &mut Decoder,
    f: &mut dyn FnMut(&str, Group, &mut Parameter<'_>),
) {
    decoder.for_each_parameter(&mut |info, mut parameter| {
        if parameter.id().is_some() {
            f(&info.id.to_string(), group(info.id.role), &mut parameter);
        }
    });
    decoder.for_each_linear(&mut |id, linear| {
        let Some(lora) = &mut linear.adapter else { return };
        for (part, weight) in [("lora_a", &mut lora.a), ("lora_b", &mut lora.b)] {
            f(&format!("{id}.{part}"), Group::Matrix, &mut Parameter::Weight(weight));
        }
        if let Some(magnitude) = &mut linear.magnitude {
            f(&format!("{id}.magnitude"), Group::Vector, &mut Parameter::Vector(&mut magnitude.m));
        }
    });
}

fn group(role: Role) -> Group {
    match role {
        role if role.is_vector() => Group::Vector,
        Role::Embed | Role::Positions | Role::Head | Role::Router => Group::Matrix,
        _ => Group::Hidden,
    }
}
