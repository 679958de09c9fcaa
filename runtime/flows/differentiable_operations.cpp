#include "runtime/flows/differentiable_operations.h"

namespace bgw::flows {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

// A derivative that rests on saved numbers is a constant under create_graph; a second derivative would be missing
// without a word. Grad mode is on in a backward pass exactly then.
void refuse_second_derivative(const char* what) {
  TORCH_CHECK(!at::GradMode::is_enabled(), what, " has no second derivative");
}

// The transform and the model travel as addresses: the flow that calls us outlives the graph of its own pass.
template <class T>
std::int64_t address_of(const T* object) {
  return reinterpret_cast<std::int64_t>(object);
}
const physics::ModeTransform& saved_modes(AutogradContext* ctx) {
  return *reinterpret_cast<const physics::ModeTransform*>(ctx->saved_data["modes"].toInt());
}

Tensor flat_field(const physics::ModeTransform& modes, const Tensor& y) {
  return modes.displacements(y).reshape({y.size(0), 3 * modes.particles()});
}

struct FieldOfModes : torch::autograd::Function<FieldOfModes> {
  static Tensor forward(AutogradContext* ctx, const Tensor& y, const physics::ModeTransform* modes) {
    ctx->saved_data["modes"] = address_of(modes);
    return flat_field(*modes, y);
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    refuse_second_derivative("field_of_modes");
    return {saved_modes(ctx).pull_back(grads[0]), Tensor()};
  }
};

struct ModesOfField : torch::autograd::Function<ModesOfField> {
  static Tensor forward(AutogradContext* ctx, const Tensor& field, const physics::ModeTransform* modes) {
    ctx->saved_data["modes"] = address_of(modes);
    return modes->pull_back(field);
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    refuse_second_derivative("modes_of_field");
    return {flat_field(saved_modes(ctx), grads[0]), Tensor()};
  }
};

Tensor as_positions(const physics::EnergyModel& model, const Tensor& field) {
  return field.detach().contiguous().view({field.size(0), model.particles(), 3});
}

const physics::EnergyModel& saved_model(AutogradContext* ctx) {
  return *reinterpret_cast<const physics::EnergyModel*>(ctx->saved_data["model"].toInt());
}

struct ReducedGradient : torch::autograd::Function<ReducedGradient> {
  static Tensor forward(AutogradContext* ctx, const Tensor& field, const physics::EnergyModel* model, double beta) {
    ctx->save_for_backward({field});
    ctx->saved_data["model"] = address_of(model);
    ctx->saved_data["beta"] = beta;
    const Tensor gradient = model->energy_and_gradient(as_positions(*model, field)).gradient;
    return beta * gradient.reshape(field.sizes());
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    refuse_second_derivative("reduced_gradient");
    const physics::EnergyModel& model = saved_model(ctx);
    const Tensor field = ctx->get_saved_variables()[0];
    const Tensor product =
        model.gradient_and_product(as_positions(model, field), as_positions(model, grads[0])).product;
    return {ctx->saved_data["beta"].toDouble() * product.reshape(field.sizes()), Tensor(), Tensor()};
  }
};

struct ReducedEnergy : torch::autograd::Function<ReducedEnergy> {
  static Tensor forward(AutogradContext* ctx, const Tensor& field, const physics::WhitenedTarget* target) {
    const auto value = target->model().energy_and_gradient(as_positions(target->model(), field));
    ctx->save_for_backward({target->beta() * value.gradient.reshape(field.sizes())});
    return target->beta() * (value.energy - target->static_energy());
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    refuse_second_derivative("reduced_energy");
    return {grads[0].unsqueeze(1) * ctx->get_saved_variables()[0], Tensor()};
  }
};

}  // namespace

Tensor field_of_modes(const physics::ModeTransform& modes, const Tensor& y) { return FieldOfModes::apply(y, &modes); }

Tensor modes_of_field(const physics::ModeTransform& modes, const Tensor& field) {
  return ModesOfField::apply(field, &modes);
}

Tensor reduced_gradient(const physics::EnergyModel& model, double beta, const Tensor& field) {
  return ReducedGradient::apply(field, &model, beta);
}

Tensor reduced_energy(const physics::WhitenedTarget& target, const Tensor& field) {
  return ReducedEnergy::apply(field, &target);
}

}  // namespace bgw::flows
