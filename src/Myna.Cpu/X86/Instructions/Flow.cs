namespace Myna.Cpu.X86.Instructions;

/// <summary>What an instruction did to the flow of control.</summary>
public enum Flow : byte
{
    /// <summary>On behind the instruction.</summary>
    Next,
    /// <summary>On at a near target, in the same mode.</summary>
    Jump,
    /// <summary>On behind the instruction, but mode, translation, breakpoints or interrupts may have changed.</summary>
    Resync,
    /// <summary>The instruction retired; the CPU set pc itself, anything may have changed.</summary>
    Return,
    /// <summary>The instruction did not retire; the CPU has set pc to the handler (or has shut down).</summary>
    Fault,
}
