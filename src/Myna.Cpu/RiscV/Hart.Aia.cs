using Myna.Hardware.Interrupts;
using Myna.Hardware.State;

namespace Myna.Cpu.RiscV;

/// <summary>
/// The advanced interrupt architecture's CSRs (Advanced Interrupt Architecture 1.0, chapters 2 and 5), there when the board
/// gives the hart interrupt files. Priorities of major interrupts are fixed: the iprio array is zero.
/// </summary>
public sealed partial class Hart
{
    private const int FirstPriority = 0x30, LastPriority = 0x3F, FirstFile = 0x70, FirstArray = 0x80, LastFile = 0xFF;

    [Saved(40)] private ulong _siselect;
    [Saved(41)] private ulong _miselect;

    /// <summary>The hart's interrupt file for S-mode, or null: then there is no Ssaia. Set it before the hart runs.</summary>
    [field: NotSaved("wiring; the board saves the file")]
    public IInterruptFile? SupervisorFile { get; set; }

    /// <summary>The same for M-mode and Smaia.</summary>
    [field: NotSaved("wiring; the board saves the file")]
    public IInterruptFile? MachineFile { get; set; }

    // sireg, mireg, stopei, mtopei: other threads change what is behind them, so the modification is the file's.
    private bool InterruptFileCsr(CsrNumber csr, CsrOp op, ulong operand, bool writes, out ulong old)
    {
        bool machine = csr is CsrNumber.Mireg or CsrNumber.Mtopei;
        IInterruptFile file = (machine ? MachineFile : SupervisorFile)!;
        if (csr is CsrNumber.Stopei or CsrNumber.Mtopei)
        {
            old = file.Top;
            if (writes)
                file.Claim();
            return true;
        }
        old = 0;
        int select = (int)(machine ? _miselect : _siselect);
        bool odd = (select & 1) != 0;
        if (select is >= FirstPriority and <= LastPriority && !odd)
            return true;
        if (select is < FirstFile or > LastFile || (odd && select >= FirstArray))
            return RaiseIllegal();
        (ulong keep, ulong set) = !writes ? (ulong.MaxValue, 0) : op switch
        {
            CsrOp.Write => (0UL, operand),
            CsrOp.Set => (ulong.MaxValue, operand),
            _ => (~operand, 0UL),
        };
        old = file.Modify(select, keep, set);
        CheckInterrupts();
        return true;
    }

    // stopi and mtopi: the interrupt in bits 27:16; its priority reads as 1 when priorities cannot be configured.
    private static ulong TopInterrupt(ulong pending) => pending == 0 ? 0 : (ulong)First(pending) << 16 | 1;
}
