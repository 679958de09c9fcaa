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

struct ConstantProduct : torch::autograd::Function<ConstantProduct> {
  static Tensor forward(AutogradContext* ctx, const Tensor& rows, const Tensor& matrix) {
    ctx->save_for_backward({matrix});
    return physics::row_product(rows, matrix);
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    refuse_second_derivative("constant_product");
    return {physics::row_product(grads[0], ctx->get_saved_variables()[0].t()), Tensor()};
  }
};

// The derivative of index_select is index_add, a slow loop over columns; a permutation has a better one.
struct PermuteColumns : torch::autograd::Function<PermuteColumns> {
  static Tensor forward(AutogradContext* ctx, const Tensor& rows, const Tensor& order, const Tensor& inverse) {
    ctx->save_for_backward({inverse});
    return rows.index_select(1, order);
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    refuse_second_derivative("permute_columns");
    return {grads[0].index_select(1, ctx->get_saved_variables()[0]), Tensor(), Tensor()};
  }
};

Tensor as_positions(const physics::EnergyModel& model, const Tensor& field) {
  return field.detach().contiguous().view({field.size(0), model.particles(), 3});
}

// The model travels as an address: the flow that calls us outlives the graph of its own pass.
const physics::EnergyModel& saved_model(AutogradContext* ctx) {
  return *reinterpret_cast<const physics::EnergyModel*>(ctx->saved_data["model"].toInt());
}

struct ReducedGradient : torch::autograd::Function<ReducedGradient> {
  static Tensor forward(AutogradContext* ctx, const Tensor& field, const physics::EnergyModel* model, double beta) {
    ctx->save_for_backward({field});
    ctx->saved_data["model"] = reinterpret_cast<std::int64_t>(model);
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

Tensor constant_product(const Tensor& rows, const Tensor& matrix) { return ConstantProduct::apply(rows, matrix); }

Tensor permute_columns(const Tensor& rows, const Tensor& order, const Tensor& inverse) {
  return PermuteColumns::apply(rows, order, inverse);
}

Tensor reduced_gradient(const physics::EnergyModel& model, double beta, const Tensor& field) {
  return ReducedGradient::apply(field, &model, beta);
}

Tensor reduced_energy(const physics::WhitenedTarget& target, const Tensor& field) {
  return ReducedEnergy::apply(field, &target);
}

}  // namespace bgw::flows
