using Myna.Cpu.X86.Instructions;
using Myna.Hardware.State;

namespace Myna.Cpu.X86;

/// <summary>
/// Segments of a user program: what a 64-bit Linux has in its GDT (arch/x86/include/asm/segment.h), with a thread's three
/// entries for thread-local storage, and an LDT where the program has made one.
/// </summary>
public sealed partial class X86Cpu
{
    /// <summary>Selectors of flat segments: 32-bit code, data, 64-bit code.</summary>
    public const ushort User32Code = 0x23, UserData = 0x2B, UserCode = 0x33;

    /// <summary>Entries of the GDT for set_thread_area(2).</summary>
    public const int FirstTls = 12, TlsCount = 3;

    // Accessed already, so that nothing is ever written back.
    private const ulong Code32Descriptor = 0x00CF_FB00_0000_FFFF, DataDescriptor = 0x00CF_F300_0000_FFFF, CodeDescriptor = 0x00AF_FB00_0000_FFFF;
    private const int LastEntry = 15;

    [NotSaved("a user program's")] private readonly ulong[] _tls = new ulong[TlsCount];

    /// <summary>The process's local descriptors (modify_ldt(2)); null for none.</summary>
    [field: NotSaved("a user program's")]
    public ulong[]? UserLdt { get; set; }

    /// <summary>A descriptor for thread-local storage.</summary>
    /// <param name="slot">0 to 2.</param>
    public ulong GetTls(int slot) => _tls[slot];

    /// <summary>Changes it; segment registers that hold its selector follow, as Linux has it.</summary>
    public void SetTls(int slot, ulong descriptor)
    {
        _tls[slot] = descriptor;
        ReloadUserSegments((ushort)(((FirstTls + slot) << 3) | 3));
    }

    /// <summary>The descriptor of a selector has changed.</summary>
    public void ReloadUserSegments(ushort selector)
    {
        foreach (SegmentRegister segment in (ReadOnlySpan<SegmentRegister>)[SegmentRegister.Es, SegmentRegister.Ds, SegmentRegister.Fs, SegmentRegister.Gs])
        {
            if ((ushort)State.Selectors[(int)segment] == selector)
                SetUserSegment(segment, selector);
        }
    }

    /// <summary>Loads a segment register as the kernel does for a program: what cannot be loaded becomes null. Not for CS.</summary>
    public void SetUserSegment(SegmentRegister segment, ushort selector)
    {
        if (!TryLoadSegment(segment, selector))
            SetNullSegment(segment, 0);
        UpdateFlags();
    }

    /// <summary>Loads CS; false when the selector is none of code that a program may execute.</summary>
    public bool TrySetUserCode(ushort selector)
    {
        selector |= 3;
        if (!TryReadUserDescriptor(selector, Vector.GP, out Descriptor d) || d.IsSystem || !d.IsCode || !d.Present)
            return false;
        SetSegment(SegmentRegister.Cs, selector, d);
        UpdateFlags();
        return true;
    }

    private bool TryReadUserDescriptor(ushort selector, Vector vector, out Descriptor descriptor)
    {
        descriptor = default;
        int index = selector >> 3;
        if ((selector & 4) != 0)
        {
            if (UserLdt is not { } ldt || index >= ldt.Length)
                return Fault(vector, SelectorError(selector));
            descriptor = new Descriptor(ldt[index], 0);
            return true;
        }
        if (index > LastEntry)
            return Fault(vector, SelectorError(selector));
        descriptor = new Descriptor(index switch
        {
            User32Code >> 3 => Code32Descriptor,
            UserData >> 3 => DataDescriptor,
            UserCode >> 3 => CodeDescriptor,
            >= FirstTls and < FirstTls + TlsCount => _tls[index - FirstTls],
            _ => 0,
        }, 0);
        return true;
    }
}
