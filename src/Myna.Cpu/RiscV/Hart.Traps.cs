using System.Numerics;
using Myna.Hardware.State;

namespace Myna.Cpu.RiscV;

/// <summary>Traps, returns from them, and the instructions that wait.</summary>
public sealed partial class Hart
{
    private const ulong InterruptBit = 1UL << 63;

    [NotSaved("only decides when to yield")] private uint _pauses;

    /// <summary>
    /// Takes a synchronous exception at the instruction whose address is <c>JitContext.Pc</c>: afterwards pc is the handler's.
    /// </summary>
    /// <returns>Always false, so that callers can return it.</returns>
    public bool Raise(Cause cause, ulong tval)
    {
        _exceptionsTaken++;
        if (_user is not null)
            return Trap(cause, tval);
        bool delegated = _privilege != PrivilegeLevel.Machine && (_medeleg >> (int)cause & 1) != 0;
        EnterTrap((ulong)cause, tval, delegated);
        return false;
    }

    private bool RaiseIllegal() => Raise(Cause.IllegalInstruction, Instruction);

    private void EnterTrap(ulong cause, ulong tval, bool toSupervisor)
    {
        ulong pc = Block.Context.Pc;
        ulong vector;
        // A handler must not complete a store-conditional of the code it interrupted.
        Block.Context.ReservedSize = 0;
        if (toSupervisor)
        {
            _scause = cause;
            _sepc = pc;
            _stval = tval;
            ulong status = _mstatus & ~(Mstatus.Sie | Mstatus.Spie | Mstatus.Spp);
            if ((_mstatus & Mstatus.Sie) != 0)
                status |= Mstatus.Spie;
            if (_privilege == PrivilegeLevel.Supervisor)
                status |= Mstatus.Spp;
            _mstatus = status;
            _privilege = PrivilegeLevel.Supervisor;
            vector = _stvec;
        }
        else
        {
            _mcause = cause;
            _mepc = pc;
            _mtval = tval;
            ulong status = _mstatus & ~(Mstatus.Mie | Mstatus.Mpie | Mstatus.Mpp) | (ulong)_privilege << Mstatus.MppShift;
            if ((_mstatus & Mstatus.Mie) != 0)
                status |= Mstatus.Mpie;
            _mstatus = status;
            _privilege = PrivilegeLevel.Machine;
            vector = _mtvec;
        }
        ulong target = vector & ~3UL;
        if ((vector & 1) != 0 && (cause & InterruptBit) != 0)
            target += 4 * (cause & 0x3F);
        Block.Context.Pc = target;
        UpdateMode();
    }

    /// <summary>The interrupt that is to be taken now, or -1 (privileged specification, section "Machine Interrupt (mip and mie) Registers").</summary>
    private int FindInterrupt(out bool toSupervisor)
    {
        toSupervisor = false;
        ulong pending = Pending & _mie;
        if (pending == 0)
            return -1;
        ulong machine = pending & ~_mideleg;
        if (machine != 0 && (_privilege < PrivilegeLevel.Machine || (_mstatus & Mstatus.Mie) != 0))
            return First(machine);
        ulong supervisor = pending & _mideleg;
        toSupervisor = true;
        if (supervisor != 0 && (_privilege < PrivilegeLevel.Supervisor || (_privilege == PrivilegeLevel.Supervisor && (_mstatus & Mstatus.Sie) != 0)))
            return First(supervisor);
        return -1;
    }

    private static int First(ulong pending)
    {
        // Decreasing priority: MEI, MSI, MTI, SEI, SSI, STI, LCOFI.
        ReadOnlySpan<byte> order = [Interrupts.Mei, Interrupts.Msi, Interrupts.Mti, Interrupts.Sei, Interrupts.Ssi, Interrupts.Sti, Interrupts.Lcofi];
        foreach (byte interrupt in order)
        {
            if ((pending >> interrupt & 1) != 0)
                return interrupt;
        }
        return BitOperations.TrailingZeroCount(pending);
    }

    private void TakePendingInterrupt()
    {
        int interrupt = FindInterrupt(out bool toSupervisor);
        if (interrupt < 0)
            return;
        _interruptsTaken++;
        EnterTrap(InterruptBit | (uint)interrupt, 0, toSupervisor);
    }

    // Something changed that may make a pending interrupt takable: have it looked at between two instructions.
    private void CheckInterrupts()
    {
        if (FindInterrupt(out _) >= 0)
            RequestExit(ExitRequests.Interrupt);
    }

    /// <returns>False when an exception was raised; true: pc is the return address.</returns>
    public bool Mret()
    {
        if (_privilege != PrivilegeLevel.Machine)
            return RaiseIllegal();
        ulong status = _mstatus;
        var previous = (PrivilegeLevel)((status & Mstatus.Mpp) >> Mstatus.MppShift);
        _mstatus = status & ~(Mstatus.Mie | Mstatus.Mpp) | Mstatus.Mpie | ((status & Mstatus.Mpie) != 0 ? Mstatus.Mie : 0);
        if (previous != PrivilegeLevel.Machine)
            _mstatus &= ~Mstatus.Mprv;
        return Return(previous, _mepc);
    }

    /// <inheritdoc cref="Mret"/>
    public bool Sret()
    {
        if (_privilege == PrivilegeLevel.User || (_privilege == PrivilegeLevel.Supervisor && (_mstatus & Mstatus.Tsr) != 0))
            return RaiseIllegal();
        ulong status = _mstatus;
        _mstatus = status & ~(Mstatus.Sie | Mstatus.Spp | Mstatus.Mprv) | Mstatus.Spie | ((status & Mstatus.Spie) != 0 ? Mstatus.Sie : 0);
        return Return((status & Mstatus.Spp) != 0 ? PrivilegeLevel.Supervisor : PrivilegeLevel.User, _sepc);
    }

    private bool Return(PrivilegeLevel privilege, ulong pc)
    {
        _privilege = privilege;
        Block.Context.Pc = pc;
        UpdateMode();
        CheckInterrupts();
        return true;
    }

    /// <summary>ECALL.</summary>
    /// <returns>True when the built-in SBI served it: execution goes on behind the instruction, unless pc has changed.</returns>
    public bool Ecall()
    {
        if (_privilege == PrivilegeLevel.Supervisor && _firmware is not null)
            return CallFirmware();
        return Raise(_privilege switch
        {
            PrivilegeLevel.User => Cause.EcallFromU,
            PrivilegeLevel.Supervisor => Cause.EcallFromS,
            _ => Cause.EcallFromM,
        }, 0);
    }

    /// <summary>EBREAK; tval is its address.</summary>
    public bool Ebreak() => Raise(Cause.Breakpoint, Block.Context.Pc);

    /// <summary>WFI: the wait itself happens between this instruction and the next.</summary>
    /// <returns>False when an exception was raised.</returns>
    public bool Wfi()
    {
        // In U-mode, and with TW = 1, waiting is not allowed; no time passes before the exception (section "WFI").
        if (_privilege == PrivilegeLevel.User || (_privilege == PrivilegeLevel.Supervisor && (_mstatus & Mstatus.Tw) != 0))
            return RaiseIllegal();
        _waiting = true;
        RequestExit(ExitRequests.Wait);
        return true;
    }

    /// <summary>Zawrs. The reservation set is not watched: the stall ends at once, which the specification allows.</summary>
    public bool WaitOnReservation(bool shortTimeout)
    {
        if (!shortTimeout && _privilege != PrivilegeLevel.Machine && (_mstatus & Mstatus.Tw) != 0)
            return RaiseIllegal();
        Thread.Yield();
        return true;
    }

    /// <summary>Zihintpause.</summary>
    public void SpinHint()
    {
        // With more harts than host processors the one that is waited for needs the processor.
        if ((++_pauses & 15) == 0)
            Thread.Yield();
        else
            Thread.SpinWait(8);
    }
}
