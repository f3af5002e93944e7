using Myna.Cpu.X86.Instructions;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>Hardware task switch (Intel SDM volume 3, chapter 8), with TSSs of the 286 and of the 386.</summary>
public sealed partial class X86Cpu
{
    private enum TaskSource { Jump, Call, Return }

    // A TSS behind a task gate or a back link.
    private bool TryReadTss(ushort selector, Vector vector, bool busy, out Descriptor tss)
    {
        tss = default;
        if (IsNull(selector) || (selector & 4) != 0)
            return Fault(vector, SelectorError(selector));
        if (!TryReadDescriptor(selector, vector, out tss, out _))
            return false;
        bool valid = tss.IsSystem && (busy ? tss.Type is SystemType.BusyTss16 or SystemType.BusyTss32 : tss.Type is SystemType.Tss16 or SystemType.Tss32);
        if (!valid)
            return Fault(vector, SelectorError(selector));
        return tss.Present || Fault(Vector.NP, SelectorError(selector));
    }

    private bool TryDeliverTask(ushort selector, bool hasError, uint error, ulong ip, ulong flags)
    {
        if (!TryReadTss(selector, Vector.GP, busy: false, out Descriptor tss) || !TrySwitchTask(selector, tss, TaskSource.Call, ip, flags))
            return false;
        if (!hasError)
            return true;
        UpdateFlags();
        StackFrame stack = CurrentStack();
        if (!TryPush(ref stack, tss.Type == SystemType.Tss32 ? MemSize.B4 : MemSize.B2, error))
            return false;
        StackPointer = stack.Pointer;
        return true;
    }

    private bool TryReturnTask(ulong nextIp)
    {
        if (!TryReadSystem(_tr.Base, MemSize.B2, out ulong link) || !TryReadTss((ushort)link, Vector.TS, busy: true, out Descriptor tss))
            return false;
        return TrySwitchTask((ushort)link, tss, TaskSource.Return, nextIp, RFlags & ~RFlag.NT);
    }

    private bool TrySwitchTask(ushort selector, in Descriptor tss, TaskSource source, ulong nextIp, ulong oldFlags)
    {
        ref X86Registers r = ref State;
        bool wide = (tss.Type & 8) != 0;
        if (tss.Limit < (wide ? 103 : 43))
            return Fault(Vector.TS, SelectorError(selector));
        ulong address = (uint)tss.Base;
        bool oldWide = (_tr.Rights & 8) != 0;

        // Everything that will be read and written is there, before anything is changed.
        int oldSize = oldWide ? 104 : 44;
        if (!TryProbe(_tr.Base, oldSize, MmuMode.Supervisor, Jit.Memory.PageRights.Write) || !TryProbe(address, wide ? 104 : 44, MmuMode.Supervisor, Jit.Memory.PageRights.Read)
            || (source == TaskSource.Call && !TryProbe(address, 2, MmuMode.Supervisor, Jit.Memory.PageRights.Write)))
            return false;

        // Old TSS: busy bit and registers.
        if (source != TaskSource.Call && !TrySetBusy(_tr.Selector, busy: false))
            return false;
        SaveTask(oldWide, nextIp, oldFlags);

        TaskState next = LoadTask(address, wide);
        if (source == TaskSource.Call)
        {
            TryWriteSystem(address, MemSize.B2, _tr.Selector);
            next.Flags |= RFlag.NT;
        }
        if (source != TaskSource.Return && !TrySetBusy(selector, busy: true))
            return false;
        _cr0 |= Cr0.TS;
        _tr = new SystemSegment { Selector = selector, Base = address, Limit = tss.Limit, Rights = tss.Rights | 2 };

        // From here on faults belong to the new task.
        if (wide && (_cr0 & Cr0.PG) != 0 && next.Cr3 != _cr3)
        {
            if (_levels == 3 && !TryLoadPdptes(next.Cr3))
                return Fault(Vector.TS, SelectorError(selector));
            _cr3 = next.Cr3;
            FlushTranslations();
        }
        Span<ushort> segments = next.Segments;
        for (int i = 0; i < 8; i++)
            r.General[i] = next.General[i];
        bool v86 = (next.Flags & RFlag.VM) != 0;
        SetArithmeticFlags(next.Flags);
        r.OtherFlags = next.Flags & RFlag.Defined & ~RFlag.Arithmetic | RFlag.Reserved1;
        for (int i = 0; i < 6; i++)
            SetNullSegment((SegmentRegister)i, segments[i]);
        Block.Context.Pc = next.Ip;
        if (!TryLoadLdt(next.Ldt, Vector.TS))
            return false;
        if (v86)
        {
            _cpl = 3;
            for (int i = 0; i < 6; i++)
                SetV86Segment((SegmentRegister)i, segments[i]);
        }
        else if (!TryLoadTaskSegments(segments))
        {
            return false;
        }
        Block.Context.Pc = (uint)(r.Bases[(int)SegmentRegister.Cs] + next.Ip);
        // Breakpoints of the old task only (L0 to L3, LE).
        _dr7 &= ~0x155UL;
        UpdateWatching();
        UpdateFlags();
        if (next.DebugTrap)
        {
            _debugPending |= Debug.BT;
            RequestExit(ExitRequests.Slow);
        }
        return next.Ip <= r.Limits[(int)SegmentRegister.Cs] || Fault(Vector.GP);
    }

    private bool TrySetBusy(ushort selector, bool busy)
    {
        ulong address = _gdtr.Base + (selector & 0xFFF8u) + 5;
        return TryReadSystem(address, MemSize.B1, out ulong type) && TryWriteSystem(address, MemSize.B1, busy ? type | 2 : type & ~2UL);
    }

    /// <summary>What a TSS holds of a task.</summary>
    private struct TaskState
    {
        public GprFile General;
        public ulong Cr3, Ip, Flags;
        public ushort[] Segments;
        public ushort Ldt;
        public bool DebugTrap;
    }

    // Both TSSs were probed: these accesses cannot fault.
    private void SaveTask(bool wide, ulong ip, ulong flags)
    {
        ref X86Registers r = ref State;
        MemSize size = wide ? MemSize.B4 : MemSize.B2;
        uint step = wide ? 4u : 2;
        ulong at = _tr.Base + (wide ? 32u : 14);
        TryWriteSystem(at, size, ip & Mask(size));
        TryWriteSystem(at += step, size, flags & Mask(size));
        for (int i = 0; i < 8; i++)
            TryWriteSystem(at += step, size, r.General[i] & Mask(size));
        for (int i = 0; i < (wide ? 6 : 4); i++)
            TryWriteSystem(at += step, MemSize.B2, r.Selectors[i]);
    }

    private TaskState LoadTask(ulong address, bool wide)
    {
        var state = new TaskState { Segments = new ushort[6] };
        MemSize size = wide ? MemSize.B4 : MemSize.B2;
        uint step = wide ? 4u : 2;
        ulong at = address + (wide ? 32u : 14);
        if (wide)
        {
            TryReadSystem(address + 28, MemSize.B4, out state.Cr3);
            TryReadSystem(address + 100, MemSize.B2, out ulong trap);
            state.DebugTrap = (trap & 1) != 0;
        }
        TryReadSystem(at, size, out state.Ip);
        TryReadSystem(at += step, size, out state.Flags);
        for (int i = 0; i < 8; i++)
        {
            TryReadSystem(at += step, size, out ulong value);
            // A 16-bit TSS leaves the upper halves as they are; they are undefined.
            state.General[i] = wide ? value : value | 0xFFFF_0000;
        }
        for (int i = 0; i < (wide ? 6 : 4); i++)
        {
            TryReadSystem(at += step, MemSize.B2, out ulong selector);
            state.Segments[i] = (ushort)selector;
        }
        TryReadSystem(at + step, MemSize.B2, out ulong ldt);
        state.Ldt = (ushort)ldt;
        return state;
    }

    // Table 8-1: checks of the new task's segments.
    private bool TryLoadTaskSegments(ReadOnlySpan<ushort> segments)
    {
        ushort cs = segments[(int)SegmentRegister.Cs];
        if (IsNull(cs))
            return Fault(Vector.TS, SelectorError(cs));
        if (!TryReadDescriptor(cs, Vector.TS, out Descriptor code, out ulong address))
            return false;
        int level = cs & 3;
        if (code.IsSystem || !code.IsCode || (code.IsConforming ? code.Dpl > level : code.Dpl != level))
            return Fault(Vector.TS, SelectorError(cs));
        if (!code.Present)
            return Fault(Vector.NP, SelectorError(cs));
        _cpl = level;
        ushort ss = segments[(int)SegmentRegister.Ss];
        if (!TryReadStackDescriptor(ss, level, Vector.TS, out Descriptor stack, out ulong stackAddress))
            return false;
        if (!TryMarkAccessed(ref code, address) || !TryMarkAccessed(ref stack, stackAddress))
            return false;
        SetSegment(SegmentRegister.Cs, cs, code);
        SetSegment(SegmentRegister.Ss, ss, stack);
        foreach (SegmentRegister segment in (ReadOnlySpan<SegmentRegister>)[SegmentRegister.Ds, SegmentRegister.Es, SegmentRegister.Fs, SegmentRegister.Gs])
        {
            ushort selector = segments[(int)segment];
            if (IsNull(selector))
                continue;
            if (!TryReadDescriptor(selector, Vector.TS, out Descriptor data, out ulong dataAddress))
                return false;
            if (data.IsSystem || !data.IsReadable || (!(data.IsCode && data.IsConforming) && ((selector & 3) > data.Dpl || _cpl > data.Dpl)))
                return Fault(Vector.TS, SelectorError(selector));
            if (!data.Present)
                return Fault(Vector.NP, SelectorError(selector));
            if (!TryMarkAccessed(ref data, dataAddress))
                return false;
            SetSegment(segment, selector, data);
        }
        return true;
    }
}
