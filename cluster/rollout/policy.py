"""A small DeepSeek-V3 in PyTorch: enough to train the bundled model on a CPU."""

import torch
from torch.nn import functional


def normalised(rows, weight, epsilon):
    return rows * torch.rsqrt(rows.pow(2).mean(-1, keepdim=True) + epsilon) * weight


class Policy:
    """Gives log-probabilities of tokens; its weights have the names of the checkpoint."""

    def __init__(self, config, weights):
        self.config = config
        self.weights = {
            name: value.clone().requires_grad_(not name.endswith("e_score_correction_bias"))
            for name, value in weights.items()}

    def parameters(self):
        return [value for value in self.weights.values() if value.requires_grad]

    def linear(self, name, rows):
        return functional.linear(rows, self.weights[name + ".weight"])

    def norm(self, name, rows, epsilon=None):
        return normalised(
            rows, self.weights[name + ".weight"], epsilon or self.config["rms_norm_eps"])

    def rotated(self, rows):
        """Turns neighbouring pairs of the last axis by their positions, the second axis."""
        width = self.config["qk_rope_head_dim"]
        steps = torch.arange(0, width, 2) / width
        frequencies = self.config["rope_theta"] ** -steps
        angles = torch.outer(torch.arange(rows.shape[1], dtype=torch.float32), frequencies)
        cosine, sine = angles.cos()[None, :, None], angles.sin()[None, :, None]
        even, odd = rows[..., 0::2], rows[..., 1::2]
        turned = torch.stack((even * cosine - odd * sine, even * sine + odd * cosine), -1)
        return turned.flatten(-2)

    def attention(self, name, rows):
        config = self.config
        count, length, _ = rows.shape
        heads, plain = config["num_attention_heads"], config["qk_nope_head_dim"]
        turning, values = config["qk_rope_head_dim"], config["v_head_dim"]
        latent_width = config["kv_lora_rank"]
        query = self.norm(name + ".q_a_layernorm", self.linear(name + ".q_a_proj", rows), 1e-6)
        query = self.linear(name + ".q_b_proj", query).view(count, length, heads, -1)
        query = torch.cat((query[..., :plain], self.rotated(query[..., plain:])), -1)
        latent = self.linear(name + ".kv_a_proj_with_mqa", rows)
        shared_key = self.rotated(latent[..., latent_width:].unsqueeze(2))
        latent = self.norm(name + ".kv_a_layernorm", latent[..., :latent_width], 1e-6)
        expanded = self.linear(name + ".kv_b_proj", latent).view(count, length, heads, -1)
        key = torch.cat(
            (expanded[..., :plain], shared_key.expand(-1, -1, heads, -1)), -1)
        mixed = functional.scaled_dot_product_attention(
            query.transpose(1, 2), key.transpose(1, 2), expanded[..., plain:].transpose(1, 2),
            is_causal=True, scale=(plain + turning) ** -0.5)
        return self.linear(
            name + ".o_proj", mixed.transpose(1, 2).reshape(count, length, heads * values))

    def feed_forward(self, name, rows):
        gate = functional.silu(self.linear(name + ".gate_proj", rows))
        return self.linear(name + ".down_proj", gate * self.linear(name + ".up_proj", rows))

    def routed(self, name, rows):
        """Every row's best experts of its best groups, by scores with a bias; the weights of their
        outputs come from the scores alone."""
        config = self.config
        scores = self.linear(name + ".gate", rows).sigmoid()
        with torch.no_grad():
            biased = scores + self.weights[name + ".gate.e_score_correction_bias"]
            grouped = biased.view(len(rows), config["n_group"], -1)
            worth = grouped.topk(2, -1).values.sum(-1)
            kept = worth.topk(config["topk_group"], -1).indices
            mask = torch.full_like(grouped, -torch.inf)
            mask.scatter_(1, kept.unsqueeze(-1).expand(-1, -1, grouped.shape[-1]), 0.0)
            choices = (grouped + mask).flatten(1).topk(config["num_experts_per_tok"], -1).indices
        weights = scores.gather(1, choices)
        weights = weights / weights.sum(-1, keepdim=True) * config["routed_scaling_factor"]
        output = self.feed_forward(name + ".shared_experts", rows)
        for expert in range(config["n_routed_experts"]):
            places, slots = (choices == expert).nonzero(as_tuple=True)
            if len(places) > 0:
                made = self.feed_forward(f"{name}.experts.{expert}", rows[places])
                output = output.index_add(0, places, made * weights[places, slots, None])
        return output

    def logits(self, tokens):
        """Scores of every next token: `[sequence, position, vocabulary]`."""
        rows = self.weights["model.embed_tokens.weight"][tokens]
        for layer in range(self.config["num_hidden_layers"]):
            name = f"model.layers.{layer}"
            rows = rows + self.attention(
                name + ".self_attn", self.norm(name + ".input_layernorm", rows))
            inner = self.norm(name + ".post_attention_layernorm", rows)
            if layer < self.config["first_k_dense_replace"]:
                rows = rows + self.feed_forward(name + ".mlp", inner)
            else:
                rows = rows + self.routed(name + ".mlp", inner.flatten(0, 1)).view_as(rows)
        return self.linear("lm_head", self.norm("model.norm", rows))

    def logprobs(self, tokens):
        """ln p of every token after the first: `[sequence, position - 1]`."""
        scores = self.logits(tokens[:, :-1]).log_softmax(-1)
        return scores.gather(-1, tokens[:, 1:].unsqueeze(-1)).squeeze(-1)
