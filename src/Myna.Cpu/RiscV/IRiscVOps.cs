using Myna.Jit.Operations;

namespace Myna.Cpu.RiscV;

/// <summary>What a CSR instruction does with its operand: replace, set bits, clear bits.</summary>
public enum CsrOp { Write, Set, Clear }

/// <summary>Cache-block management and zero instructions (Zicbom, Zicboz).</summary>
public enum CacheBlockOp { Inval, Clean, Flush, Zero }

/// <summary>
/// The operations RISC-V semantics need beyond <see cref="IOps{T}"/>. The methods that return nothing and do not
/// simply read or write a register end the instruction: semantics call them last. What a translator cannot say in IR it
/// answers by ending the block with a call of the interpreter for this one instruction; methods that return bool then
/// answer false.
/// </summary>
public interface IRiscVOps<T> : IOps<T> where T : struct
{
    /// <summary>An integer register; x0 reads as zero.</summary>
    T X(int register);

    /// <summary>Sets an integer register; x0 stays zero.</summary>
    void SetX(int register, T value);

    /// <summary>The 64 raw bits of a floating-point register.</summary>
    T F(int register);

    /// <summary>Sets a floating-point register's 64 bits; mstatus.FS becomes dirty.</summary>
    void SetF(int register, T value);

    /// <summary>
    /// Whether a floating-point instruction may execute: mstatus.FS is not off and, when <paramref name="rounding"/> is
    /// dynamic, frm holds a valid mode. Otherwise raises illegal instruction and answers false.
    /// </summary>
    /// <param name="rounding">NearestEven for instructions that do not round.</param>
    /// <param name="flags">The instruction may raise flags: mstatus.FS becomes dirty.</param>
    bool FloatEnabled(Rounding rounding, bool flags);

    /// <summary>Raises a synchronous exception at this instruction.</summary>
    /// <param name="tval">What mtval or stval gets.</param>
    void Raise(Cause cause, T tval);

    /// <summary>
    /// Zicsr: one atomic read and modification. No CSR here has side effects when read. False: the access is illegal (the exception is raised) or the
    /// translator leaves it to the interpreter.
    /// </summary>
    /// <param name="writes">False for CSRRS and CSRRC with rs1 = x0, which must not write.</param>
    bool Csr(int csr, CsrOp op, T operand, bool writes, out T old);

    /// <summary>Environment call from the current privilege mode.</summary>
    void Ecall();

    void Ebreak();
    void Mret();
    void Sret();
    void Wfi();

    /// <summary>Zawrs: waits for the reservation set to be lost; <paramref name="shortTimeout"/> for WRS.STO.</summary>
    void WaitOnReservation(bool shortTimeout);

    /// <summary>SFENCE.VMA and SINVAL.VMA.</summary>
    /// <param name="anyAddress">rs1 = x0: all addresses.</param>
    /// <param name="anyAsid">rs2 = x0: all address spaces.</param>
    void SfenceVma(bool anyAddress, T address, bool anyAsid, T asid);

    /// <summary>SFENCE.W.INVAL and SFENCE.INVAL.IR: order SINVAL.VMA, which acts at once here.</summary>
    void SfenceInval();

    void FenceI();

    /// <summary>Acts on the 64-byte block that holds the address. False: a fault was raised.</summary>
    bool CacheBlock(CacheBlockOp op, T address);

    /// <summary>Zihintpause: a hint that this hart spins.</summary>
    void Pause();
}
