using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Iced.Intel;
using Myna.Cpu.X86.Instructions;
using Myna.Jit.Memory;

namespace Myna.Cpu.X86;

// FXSAVE and XSAVE: x87, SSE and AVX state as an image in memory (Intel SDM volume 1, 10.5 and chapter 13).
public sealed partial class X86Cpu
{
    private const ulong XstateX87 = 1, XstateSse = 2, XstateAvx = 4;
    private const int LegacySize = 512, HeaderSize = 64, AvxOffset = LegacySize + HeaderSize, AvxSize = 256, XsaveSize = AvxOffset + AvxSize;

    // Parts of the legacy region.
    private const int MxcsrOffset = 24, StOffset = 32, XmmOffset = 160;
    private const ulong CompactedFormat = 1UL << 63;

    /// <summary>XMM and YMM registers that the mode has.</summary>
    private int XmmCount => Flags.Is64 ? 16 : 8;

    private static bool IsWide(in Insn insn) => insn.Mnemonic
        is Mnemonic.Fxsave64 or Mnemonic.Fxrstor64 or Mnemonic.Xsave64 or Mnemonic.Xsaveopt64 or Mnemonic.Xsavec64 or Mnemonic.Xsaves64
        or Mnemonic.Xrstor64 or Mnemonic.Xrstors64;

    [X86Instruction(Mnemonic.Fxsave, Mnemonic.Fxsave64)]
    private Flow FxSave(in Insn insn)
    {
        if (!XstateAddress(insn, fx: true, LegacySize, 16, write: true, out ulong linear))
            return Flow.Fault;
        Span<byte> image = Image[..LegacySize];
        PackX87(image, IsWide(insn));
        PackMxcsr(image);
        // Without CR4.OSFXSR the XMM registers are left out, as the older processors do.
        int bytes = XmmOffset;
        if ((_cr4 & Cr4.OSFXSR) != 0)
        {
            PackXmm(image);
            bytes += XmmCount * 16;
        }
        return ProbeImage(linear, LegacySize) && WriteImage(linear, image[..bytes]) ? Flow.Next : Flow.Fault;
    }

    [X86Instruction(Mnemonic.Fxrstor, Mnemonic.Fxrstor64)]
    private Flow FxRestore(in Insn insn)
    {
        Span<byte> image = Image[..LegacySize];
        if (!XstateAddress(insn, fx: true, LegacySize, 16, write: false, out ulong linear) || !ReadImage(linear, image))
            return Flow.Fault;
        if (!MxcsrIsValid(image))
            return XstateProtection();
        UnpackX87(image, IsWide(insn));
        if ((_cr4 & Cr4.OSFXSR) == 0)
            return Flow.Next;
        UnpackXmm(image);
        return LoadMxcsr(BinaryPrimitives.ReadUInt32LittleEndian(image[MxcsrOffset..]));
    }

    /// <summary>XSAVEOPT leaves out what has its initial value; it does not track what has changed since XRSTOR, which it may.</summary>
    [X86Instruction(Mnemonic.Xsave, Mnemonic.Xsave64, Mnemonic.Xsaveopt, Mnemonic.Xsaveopt64)]
    private Flow XSave(in Insn insn)
    {
        if (!XstateAddress(insn, fx: false, XsaveSize, 64, write: true, out ulong linear))
            return Flow.Fault;
        ulong requested = XstateRequested(_xcr0), used = XstateInUse() & requested;
        if (!ProbeXstate(linear, requested) || !ReadImage(linear + LegacySize, Image.Slice(LegacySize, 16)))
            return Flow.Fault;
        ulong old = BinaryPrimitives.ReadUInt64LittleEndian(Image[LegacySize..]);
        BinaryPrimitives.WriteUInt64LittleEndian(Image[LegacySize..], (old & ~requested) | used);
        bool optimized = insn.Mnemonic is Mnemonic.Xsaveopt or Mnemonic.Xsaveopt64;
        bool mxcsr = (requested & (XstateSse | XstateAvx)) != 0;
        return WriteXstate(linear, optimized ? used : requested, mxcsr, headerBytes: 8, IsWide(insn)) ? Flow.Next : Flow.Fault;
    }

    /// <summary>The compacted format: with only x87, SSE and AVX there is no component to move.</summary>
    [X86Instruction(Mnemonic.Xsavec, Mnemonic.Xsavec64, Mnemonic.Xsaves, Mnemonic.Xsaves64)]
    private Flow XSaveCompacted(in Insn insn)
    {
        bool supervisor = insn.Mnemonic is Mnemonic.Xsaves or Mnemonic.Xsaves64;
        if (supervisor && Flags.User)
            return XstateProtection();
        if (!XstateAddress(insn, fx: false, XsaveSize, 64, write: true, out ulong linear))
            return Flow.Fault;
        ulong requested = XstateRequested(supervisor ? _xcr0 | _xss : _xcr0);
        ulong used = XstateInUse();
        if (Block.Context.Mxcsr != Mxcsr.Reset)
            used |= XstateSse;
        used &= requested;
        if (!ProbeXstate(linear, requested))
            return Flow.Fault;
        BinaryPrimitives.WriteUInt64LittleEndian(Image[LegacySize..], used);
        BinaryPrimitives.WriteUInt64LittleEndian(Image[(LegacySize + 8)..], requested | CompactedFormat);
        return WriteXstate(linear, used, (used & XstateSse) != 0, headerBytes: 16, IsWide(insn)) ? Flow.Next : Flow.Fault;
    }

    private bool WriteXstate(ulong linear, ulong components, bool mxcsr, int headerBytes, bool wide)
    {
        Span<byte> image = Image;
        if ((components & XstateX87) != 0)
        {
            PackX87(image, wide);
            if (!WriteImage(linear, image[..MxcsrOffset]) || !WriteImage(linear + StOffset, image[StOffset..XmmOffset]))
                return false;
        }
        if (mxcsr)
        {
            PackMxcsr(image);
            if (!WriteImage(linear + MxcsrOffset, image.Slice(MxcsrOffset, 8)))
                return false;
        }
        if ((components & XstateSse) != 0)
        {
            PackXmm(image);
            if (!WriteImage(linear + XmmOffset, image.Slice(XmmOffset, XmmCount * 16)))
                return false;
        }
        if ((components & XstateAvx) != 0)
        {
            MemoryMarshal.AsBytes(((Span<Vector128<byte>>)State.Vector)[16..]).CopyTo(image[AvxOffset..]);
            if (!WriteImage(linear + AvxOffset, image.Slice(AvxOffset, XmmCount * 16)))
                return false;
        }
        return WriteImage(linear + LegacySize, image.Slice(LegacySize, headerBytes));
    }

    [X86Instruction(Mnemonic.Xrstor, Mnemonic.Xrstor64, Mnemonic.Xrstors, Mnemonic.Xrstors64)]
    private Flow XRestore(in Insn insn)
    {
        bool supervisor = insn.Mnemonic is Mnemonic.Xrstors or Mnemonic.Xrstors64;
        if (supervisor && Flags.User)
            return XstateProtection();
        Span<byte> image = Image;
        if (!XstateAddress(insn, fx: false, XsaveSize, 64, write: false, out ulong linear) || !ReadImage(linear, image[..AvxOffset]))
            return Flow.Fault;
        ulong enabled = supervisor ? _xcr0 | _xss : _xcr0;
        ulong requested = XstateRequested(enabled);
        Span<ulong> header = MemoryMarshal.Cast<byte, ulong>(image.Slice(LegacySize, HeaderSize));
        ulong present = header[0], layout = header[1];
        bool compacted = (layout & CompactedFormat) != 0;
        // Intel SDM volume 1, 13.8.1, 13.8.2, 13.12.
        bool valid = compacted
            ? (layout & ~CompactedFormat & ~enabled) == 0 && (present & ~layout) == 0 && !header[2..].ContainsAnyExcept(0UL)
            : !supervisor && (present & ~_xcr0) == 0 && layout == 0 && header[2] == 0;
        bool mxcsrFromImage = compacted ? (requested & present & XstateSse) != 0 : (requested & (XstateSse | XstateAvx)) != 0;
        if (!valid || (mxcsrFromImage && !MxcsrIsValid(image)))
            return XstateProtection();
        ulong load = requested & present, initialize = requested & ~present;
        // As for saving, the standard form must be readable as far as components are asked for, whether they are present or not.
        if (((compacted ? load : requested) & XstateAvx) != 0 && !ReadImage(linear + AvxOffset, image.Slice(AvxOffset, AvxSize)))
            return Flow.Fault;

        if ((load & XstateX87) != 0)
        {
            UnpackX87(image, IsWide(insn));
        }
        else if ((initialize & XstateX87) != 0)
        {
            X87Initialize();
            ((Span<Vector128<ulong>>)State.X87).Clear();
        }
        Span<Vector128<byte>> vectors = State.Vector;
        if ((load & XstateSse) != 0)
            UnpackXmm(image);
        else if ((initialize & XstateSse) != 0)
            vectors[..XmmCount].Clear();
        if ((load & XstateAvx) != 0)
            image.Slice(AvxOffset, XmmCount * 16).CopyTo(MemoryMarshal.AsBytes(vectors[16..]));
        else if ((initialize & XstateAvx) != 0)
            vectors.Slice(16, XmmCount).Clear();
        if (mxcsrFromImage)
            return LoadMxcsr(BinaryPrimitives.ReadUInt32LittleEndian(image[MxcsrOffset..]));
        return compacted && (initialize & XstateSse) != 0 ? LoadMxcsr(Mxcsr.Reset) : Flow.Next;
    }

    /// <summary>Checks that come before everything: device, mode, segment, alignment. False: it faulted.</summary>
    private bool XstateAddress(in Insn insn, bool fx, int bytes, int alignment, bool write, out ulong linear)
    {
        linear = 0;
        if (!fx && (_cr4 & Cr4.OSXSAVE) == 0)
        {
            RaiseException(Vector.UD);
            return false;
        }
        if ((_cr0 & Cr0.TS) != 0 || (fx && (_cr0 & Cr0.EM) != 0))
        {
            RaiseException(Vector.NM);
            return false;
        }
        if (!X87Linear(insn, bytes, write, out linear))
            return false;
        if ((linear & (ulong)(alignment - 1)) == 0)
            return true;
        // FXSAVE and FXRSTOR check for multiples of 4 where alignment is checked, as on AMD's processors; the manual leaves it open.
        RaiseException(fx && DataMode == MmuMode.UserAligned && (linear & 3) != 0 ? Vector.AC : Vector.GP);
        return false;
    }

    private Flow XstateProtection()
    {
        RaiseException(Vector.GP);
        return Flow.Fault;
    }

    /// <summary>The requested-feature bitmap: EDX:EAX and what is enabled.</summary>
    private ulong XstateRequested(ulong enabled) => enabled & ((uint)State.General[0] | State.General[2] << 32);

    /// <summary>Components that differ from their initial values.</summary>
    private ulong XstateInUse()
    {
        ref X86Registers state = ref State;
        ulong used = 0;
        if (state.X87Control != X87InitialControl || state.X87Status != 0 || state.X87Empty != 0xFF || state.X87Opcode != 0
            || (state.X87InstructionPointer | state.X87DataPointer | state.X87CodeSelector | state.X87DataSelector) != 0
            || ((Span<Vector128<ulong>>)state.X87).ContainsAnyExcept(Vector128<ulong>.Zero))
        {
            used |= XstateX87;
        }
        // All registers, also where the mode has eight.
        Span<Vector128<byte>> vectors = state.Vector;
        if (vectors[..16].ContainsAnyExcept(Vector128<byte>.Zero))
            used |= XstateSse;
        if (vectors.Slice(16, 16).ContainsAnyExcept(Vector128<byte>.Zero))
            used |= XstateAvx;
        return used;
    }

    /// <summary>
    /// Nothing is written before all that belongs to the requested components is known to be writable, whatever of it will be (which Intel SDM
    /// volume 1, 13.13, allows and AMD's processors do). False: it faulted.
    /// </summary>
    private bool ProbeXstate(ulong linear, ulong requested) => ProbeImage(linear, (requested & XstateAvx) != 0 ? XsaveSize : AvxOffset);

    /// <summary>Probes a range of any length; false: it faulted.</summary>
    private bool ProbeImage(ulong linear, int bytes)
    {
        for (int at = 0; at < bytes; at += 64)
        {
            if (!ProbeWrite(linear + (ulong)at, Math.Min(64, bytes - at), DataMode))
                return false;
        }
        return true;
    }

    /// <summary>x87 state: bytes 23:0 and 159:32 of the legacy region.</summary>
    private void PackX87(Span<byte> image, bool wide)
    {
        ref X86Registers state = ref State;
        Span<ushort> words = MemoryMarshal.Cast<byte, ushort>(image[..MxcsrOffset]);
        words.Clear();
        words[0] = state.X87Control;
        words[1] = state.X87Status;
        words[2] = (byte)~state.X87Empty;
        words[3] = state.X87Opcode;
        Span<ulong> pointers = MemoryMarshal.Cast<byte, ulong>(image[8..MxcsrOffset]);
        pointers[0] = wide ? state.X87InstructionPointer : (uint)state.X87InstructionPointer | (ulong)state.X87CodeSelector << 32;
        pointers[1] = wide ? state.X87DataPointer : (uint)state.X87DataPointer | (ulong)state.X87DataSelector << 32;
        Span<Vector128<ulong>> registers = MemoryMarshal.Cast<byte, Vector128<ulong>>(image[StOffset..XmmOffset]);
        for (int i = 0; i < 8; i++)
            registers[i] = X87Get(i);
    }

    private void UnpackX87(ReadOnlySpan<byte> image, bool wide)
    {
        ref X86Registers state = ref State;
        ReadOnlySpan<ushort> words = MemoryMarshal.Cast<byte, ushort>(image[..MxcsrOffset]);
        state.X87Status = words[1];
        state.X87Empty = (byte)~words[2];
        state.X87Opcode = (ushort)(words[3] & 0x7FF);
        ReadOnlySpan<ulong> pointers = MemoryMarshal.Cast<byte, ulong>(image[8..MxcsrOffset]);
        state.X87InstructionPointer = wide ? pointers[0] : (uint)pointers[0];
        state.X87CodeSelector = wide ? (ushort)0 : (ushort)(pointers[0] >> 32);
        state.X87DataPointer = wide ? pointers[1] : (uint)pointers[1];
        state.X87DataSelector = wide ? (ushort)0 : (ushort)(pointers[1] >> 32);
        ReadOnlySpan<Vector128<ulong>> registers = MemoryMarshal.Cast<byte, Vector128<ulong>>(image[StOffset..XmmOffset]);
        for (int i = 0; i < 8; i++)
            state.X87[X87Register(i)] = registers[i] & Vector128.Create(ulong.MaxValue, 0xFFFF);
        X87SetControl(words[0]);
    }

    private Flow LoadMxcsr(uint value) => SetMxcsr(value) ? Flow.Resync : Flow.Next;

    private void PackMxcsr(Span<byte> image)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(image[MxcsrOffset..], Block.Context.Mxcsr);
        BinaryPrimitives.WriteUInt32LittleEndian(image[(MxcsrOffset + 4)..], Mxcsr.Defined);
    }

    private static bool MxcsrIsValid(ReadOnlySpan<byte> image) => (BinaryPrimitives.ReadUInt32LittleEndian(image[MxcsrOffset..]) & ~Mxcsr.Defined) == 0;

    private void PackXmm(Span<byte> image) => MemoryMarshal.AsBytes(((Span<Vector128<byte>>)State.Vector)[..XmmCount]).CopyTo(image[XmmOffset..]);

    private void UnpackXmm(ReadOnlySpan<byte> image) =>
        image.Slice(XmmOffset, XmmCount * 16).CopyTo(MemoryMarshal.AsBytes(((Span<Vector128<byte>>)State.Vector)[..XmmCount]));
}
