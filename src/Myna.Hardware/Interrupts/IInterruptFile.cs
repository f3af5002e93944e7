namespace Myna.Hardware.Interrupts;

/// <summary>
/// A RISC-V hart's view of its interrupt file for one privilege level (Advanced Interrupt Architecture 1.0, section 3.8):
/// what *topei and *ireg reach. Thread-safe.
/// </summary>
public interface IInterruptFile
{
    /// <summary>The value of *topei: the identity of the pending, enabled interrupt of the highest priority in bits 26:16 and 10:0, or 0.</summary>
    uint Top { get; }

    /// <summary>What a write of *topei does: the interrupt that <see cref="Top"/> names is no longer pending.</summary>
    void Claim();

    /// <summary>Reads and modifies a register at once.</summary>
    /// <param name="select">0x70 (eidelivery) to 0xff (eie63); for eip and eie even numbers only.</param>
    /// <param name="keep">Bits that keep their value; the others become <paramref name="set"/>'s.</param>
    /// <returns>The value before.</returns>
    ulong Modify(int select, ulong keep, ulong set);
}
