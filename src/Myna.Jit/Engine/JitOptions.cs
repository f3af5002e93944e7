namespace Myna.Jit.Engine;

/// <summary>What a translator is told once.</summary>
public sealed class JitOptions
{
    /// <summary>Slots of the guest's integer registers that live in host registers everywhere; at most 9.</summary>
    public int[] PinnedSlots { get; init; } = [];

    /// <summary>The same for floating-point registers; at most 8.</summary>
    public int[] PinnedFloatSlots { get; init; } = [];

    /// <summary>
    /// Offset in the guest's register structure from which slots are 16 bytes wide (at most 32 of them), and those below are
    /// at most 32 of 8 bytes. Without one all are of 8 bytes, at most 64.
    /// </summary>
    public int VectorSlots { get; init; } = int.MaxValue;

    /// <summary>Vector slots that live in host registers everywhere; at most 8, and not beside pinned floats.</summary>
    public int[] PinnedVectorSlots { get; init; } = [];

    /// <summary>Where the guest's lazy flags are, for <see cref="Ir.IrBuilder.ComputeFlags"/>; without it that always calls C#.</summary>
    public LazyFlagSlots? LazyFlags { get; init; }

    /// <summary>Guest instructions in a block at most.</summary>
    public int MaxBlockLength { get; init; } = 64;

    /// <summary>
    /// Keeps <see cref="Memory.JitContext.InstructionCount"/>, and leaves generated code after every block so that a run
    /// can stop at an exact count.
    /// </summary>
    public bool CountInstructions { get; init; }

    /// <summary>A store takes effect for the very next instruction, also where that has been translated.</summary>
    public bool StrictCode { get; init; }

    /// <summary>The guest's memory is this process's own, at the same addresses; the soft-TLB is not used.</summary>
    public User.DirectMemory? Direct { get; init; }

    /// <summary>Bytes of generated code before everything is forgotten and translated anew.</summary>
    public int CacheSize { get; init; } = 128 << 20;
}
