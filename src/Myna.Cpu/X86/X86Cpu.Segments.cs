using Myna.Cpu.X86.Instructions;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>Segment registers, descriptors and their checks (Intel SDM volume 3, chapters 3 and 6).</summary>
public sealed partial class X86Cpu
{
    /// <summary>
    /// Linear address of an access, with every check of segmentation that the mode asks for; delivers #GP or #SS.
    /// </summary>
    /// <param name="offset">Reduced to the address size.</param>
    /// <param name="bytes">0 for no check.</param>
    public bool CheckSegment(SegmentRegister segment, ulong offset, int bytes, bool write, out ulong linear)
        => TryCheckSegment(segment, offset, bytes, write, out linear) || Delivered();

    private bool TryCheckSegment(SegmentRegister segment, ulong offset, int bytes, bool write, out ulong linear)
    {
        ref X86Registers r = ref State;
        if (Is64)
        {
            linear = segment >= SegmentRegister.Fs ? offset + r.Bases[(int)segment] : offset;
            if (bytes != 0 && !(IsCanonical(linear) && IsCanonical(linear + (ulong)(bytes - 1))))
                return Fault(segment == SegmentRegister.Ss ? Vector.SS : Vector.GP);
            return true;
        }
        linear = (uint)(r.Bases[(int)segment] + offset);
        if (bytes == 0)
            return true;
        ulong rights = r.Rights[(int)segment];
        bool allowed;
        if (Flags.Protected)
        {
            allowed = (rights & Right.Unusable) == 0
                && ((rights & Right.Code) != 0 ? !write && (rights & Right.Writable) != 0 : !write || (rights & Right.Writable) != 0);
        }
        else
        {
            allowed = true;
        }
        return (allowed && IsInLimit(rights, (uint)r.Limits[(int)segment], offset, bytes)) || Fault(segment == SegmentRegister.Ss ? Vector.SS : Vector.GP);
    }

    private static bool IsInLimit(ulong rights, uint limit, ulong offset, int bytes)
    {
        ulong last = offset + (ulong)(bytes - 1);
        if ((rights & (Right.Code | Right.ExpandDown)) == Right.ExpandDown)
            return offset > limit && last <= ((rights & Right.Big) != 0 ? uint.MaxValue : 0xFFFFUL);
        return last <= limit;
    }

    private static uint SelectorError(ushort selector) => selector & 0xFFFCu;

    private static bool IsNull(ushort selector) => (selector & 0xFFFC) == 0;

    /// <summary>Reads a descriptor of the GDT or LDT; outside its table: <paramref name="vector"/> with the selector.</summary>
    /// <param name="address">Its linear address.</param>
    private bool TryReadDescriptor(ushort selector, Vector vector, out Descriptor descriptor, out ulong address)
    {
        descriptor = default;
        address = 0;
        if (_user is not null)
            return TryReadUserDescriptor(selector, vector, out descriptor);
        ulong table;
        uint limit;
        if ((selector & 4) != 0)
        {
            if ((_ldtr.Rights & Right.Unusable) != 0 || IsNull(_ldtr.Selector))
                return Fault(vector, SelectorError(selector));
            table = _ldtr.Base;
            limit = _ldtr.Limit;
        }
        else
        {
            table = _gdtr.Base;
            limit = _gdtr.Limit;
        }
        uint offset = selector & 0xFFF8u;
        if (offset + 7 > limit)
            return Fault(vector, SelectorError(selector));
        address = table + offset;
        if (!TryReadSystem(address, MemSize.B8, out ulong low))
            return false;
        descriptor = new Descriptor(low, 0);
        // In IA-32e mode system descriptors have 16 bytes, and the type field of the second half is 0 (section 3.5.2).
        if (IsLong && descriptor.IsSystem)
        {
            if (offset + 15 > limit)
                return Fault(vector, SelectorError(selector));
            if (!TryReadSystem(address + 8, MemSize.B8, out ulong high))
                return false;
            descriptor = new Descriptor(low, high);
        }
        return true;
    }

    private bool TryMarkAccessed(ref Descriptor descriptor, ulong address)
    {
        if ((descriptor.Type & 1) != 0)
            return true;
        descriptor = new Descriptor(descriptor.Low | 1UL << 40, descriptor.High);
        return TryWriteSystem(address + 5, MemSize.B1, (byte)(descriptor.Low >> 40));
    }

    private void SetSegment(SegmentRegister segment, ushort selector, in Descriptor descriptor)
    {
        ref X86Registers r = ref State;
        int i = (int)segment;
        r.Selectors[i] = selector;
        r.Bases[i] = (uint)descriptor.Base;
        r.Limits[i] = descriptor.Limit;
        r.Rights[i] = descriptor.Rights;
    }

    // Base and limit of a null selector do not matter but for FS and GS in 64-bit mode, whose bases become 0.
    private void SetNullSegment(SegmentRegister segment, ushort selector, int dpl = 0)
    {
        ref X86Registers r = ref State;
        int i = (int)segment;
        r.Selectors[i] = selector;
        r.Bases[i] = 0;
        r.Limits[i] = uint.MaxValue;
        r.Rights[i] = Right.Unusable | Right.Big | (ulong)dpl << Right.DplShift;
    }

    // Real mode as RESET leaves it.
    private void SetRealSegment(SegmentRegister segment, ushort selector)
    {
        ref X86Registers r = ref State;
        int i = (int)segment;
        r.Selectors[i] = selector;
        r.Bases[i] = (ulong)selector << 4;
        r.Limits[i] = 0xFFFF;
        r.Rights[i] = Right.Present | Right.CodeOrData | Right.Writable | Right.Accessed;
    }

    private void SetV86Segment(SegmentRegister segment, ushort selector)
    {
        SetRealSegment(segment, selector);
        State.Rights[(int)segment] |= 3UL << Right.DplShift;
    }

    // Loads in real mode change selector and base only: limits and rights stay ("unreal mode" depends on it).
    private void LoadRealSegment(SegmentRegister segment, ushort selector)
    {
        ref X86Registers r = ref State;
        int i = (int)segment;
        r.Selectors[i] = selector;
        r.Bases[i] = (ulong)selector << 4;
        r.Rights[i] &= ~Right.Unusable;
        if (segment == SegmentRegister.Cs)
            r.Rights[i] = r.Rights[i] & ~(0x6FUL) | Right.Present | Right.CodeOrData | Right.Writable | Right.Accessed;
    }

    /// <summary>MOV, POP and LxS to a segment register other than CS (SDM volume 2, MOV, "Protected Mode Exceptions").</summary>
    /// <returns>False when a fault was found; nothing was changed.</returns>
    private bool TryLoadSegment(SegmentRegister segment, ushort selector)
    {
        if (!IsProtected)
        {
            LoadRealSegment(segment, selector);
            return true;
        }
        if (IsV86)
        {
            SetV86Segment(segment, selector);
            return true;
        }
        if (IsNull(selector))
        {
            if (segment == SegmentRegister.Ss && !(Is64 && _cpl != 3 && (selector & 3) == _cpl))
                return Fault(Vector.GP);
            SetNullSegment(segment, selector, segment == SegmentRegister.Ss ? _cpl : 0);
            return true;
        }
        if (!TryReadDescriptor(selector, Vector.GP, out Descriptor d, out ulong address))
            return false;
        uint error = SelectorError(selector);
        int rpl = selector & 3;
        if (segment == SegmentRegister.Ss)
        {
            if (rpl != _cpl || d.IsSystem || !d.IsWritableData || d.Dpl != _cpl)
                return Fault(Vector.GP, error);
            if (!d.Present)
                return Fault(Vector.SS, error);
        }
        else
        {
            if (d.IsSystem || !d.IsReadable)
                return Fault(Vector.GP, error);
            if (!(d.IsCode && d.IsConforming) && (rpl > d.Dpl || _cpl > d.Dpl))
                return Fault(Vector.GP, error);
            if (!d.Present)
                return Fault(Vector.NP, error);
        }
        if (!TryMarkAccessed(ref d, address))
            return false;
        SetSegment(segment, selector, d);
        return true;
    }

    // A stack segment of an inner level, found in a TSS or a far return's frame.
    private bool TryReadStackDescriptor(ushort selector, int level, Vector vector, out Descriptor descriptor, out ulong address)
    {
        descriptor = default;
        address = 0;
        if (IsNull(selector))
            return Fault(vector);
        if (!TryReadDescriptor(selector, vector, out descriptor, out address))
            return false;
        if ((selector & 3) != level || descriptor.Dpl != level || !descriptor.IsWritableData)
            return Fault(vector, SelectorError(selector));
        return descriptor.Present || Fault(Vector.SS, SelectorError(selector));
    }

    // On the way out to a less privileged level, data segments that it may not use become null (SDM volume 2, RET). Bases stay what they are:
    // 64-bit mode goes on using those of FS and GS.
    private void DropPrivilegedSegments()
    {
        ref X86Registers r = ref State;
        foreach (SegmentRegister segment in (ReadOnlySpan<SegmentRegister>)[SegmentRegister.Es, SegmentRegister.Ds, SegmentRegister.Fs, SegmentRegister.Gs])
        {
            ref ulong rights = ref r.Rights[(int)segment];
            bool conforming = (rights & (Right.Code | Right.Conforming)) == (Right.Code | Right.Conforming);
            if ((rights & Right.Unusable) != 0 || Right.Dpl(rights) >= _cpl || conforming)
                continue;
            r.Selectors[(int)segment] = 0;
            rights |= Right.Unusable;
        }
    }
}
