using Iced.Intel;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>String instructions without a repeat prefix (Intel SDM volume 1, section 7.3.9); repeated ones are system instructions.</summary>
internal static class Strings<TOps, T, V>
    where TOps : struct, IX86Ops<T, V>, allows ref struct where T : struct where V : struct
{
    [X86Form(Code.Movsb_m8_m8, Code.Movsw_m16_m16, Code.Movsd_m32_m32, Code.Movsq_m64_m64)]
    public static void Movs(ref TOps ops, in Insn insn)
    {
        MemSize width = insn.Op0.Width;
        if (!Load(ref ops, in insn, insn.Segment, Operands<TOps, T, V>.Rsi, out T value) || !Store(ref ops, in insn, value))
            return;
        Advance(ref ops, in insn, Operands<TOps, T, V>.Rsi, width);
        Advance(ref ops, in insn, Operands<TOps, T, V>.Rdi, width);
    }

    [X86Form(Code.Stosb_m8_AL, Code.Stosw_m16_AX, Code.Stosd_m32_EAX, Code.Stosq_m64_RAX)]
    public static void Stos(ref TOps ops, in Insn insn)
    {
        if (Store(ref ops, in insn, ops.Get(Operands<TOps, T, V>.Rax)))
            Advance(ref ops, in insn, Operands<TOps, T, V>.Rdi, insn.Op0.Width);
    }

    [X86Form(Code.Lodsb_AL_m8, Code.Lodsw_AX_m16, Code.Lodsd_EAX_m32, Code.Lodsq_RAX_m64)]
    public static void Lods(ref TOps ops, in Insn insn)
    {
        if (!Load(ref ops, in insn, insn.Segment, Operands<TOps, T, V>.Rsi, out T value))
            return;
        Advance(ref ops, in insn, Operands<TOps, T, V>.Rsi, insn.Op0.Width);
        Operands<TOps, T, V>.SetRegister(ref ops, Operands<TOps, T, V>.Rax, insn.Op0.Width, value);
    }

    // The operand that RDI names is read first, with all its checks, as on AMD's processors; the manuals leave it open.
    [X86Form(Code.Cmpsb_m8_m8, Code.Cmpsw_m16_m16, Code.Cmpsd_m32_m32, Code.Cmpsq_m64_m64)]
    public static void Cmps(ref TOps ops, in Insn insn)
    {
        MemSize width = insn.Op0.Width;
        if (!Load(ref ops, in insn, SegmentRegister.Es, Operands<TOps, T, V>.Rdi, out T b) || !Load(ref ops, in insn, insn.Segment, Operands<TOps, T, V>.Rsi, out T a))
            return;
        Advance(ref ops, in insn, Operands<TOps, T, V>.Rsi, width);
        Advance(ref ops, in insn, Operands<TOps, T, V>.Rdi, width);
        Flags<TOps, T, V>.SetSub(ref ops, width, a, b);
    }

    [X86Form(Code.Scasb_AL_m8, Code.Scasw_AX_m16, Code.Scasd_EAX_m32, Code.Scasq_RAX_m64)]
    public static void Scas(ref TOps ops, in Insn insn)
    {
        MemSize width = insn.Op0.Width;
        if (!Load(ref ops, in insn, SegmentRegister.Es, Operands<TOps, T, V>.Rdi, out T b))
            return;
        Advance(ref ops, in insn, Operands<TOps, T, V>.Rdi, width);
        Flags<TOps, T, V>.SetSub(ref ops, width, ops.Get(Operands<TOps, T, V>.Rax), b);
    }

    private static bool Load(ref TOps ops, in Insn insn, SegmentRegister segment, int pointer, out T value)
    {
        value = default;
        T offset = Operands<TOps, T, V>.Reduce(ref ops, ops.Get(pointer), insn.AddressSize);
        return ops.Linear(segment, offset, insn.Op0.Size, write: false, out T linear) && ops.Load(linear, insn.Op0.Width, signed: false, out value);
    }

    private static bool Store(ref TOps ops, in Insn insn, T value)
    {
        T offset = Operands<TOps, T, V>.Reduce(ref ops, ops.Get(Operands<TOps, T, V>.Rdi), insn.AddressSize);
        return ops.Linear(SegmentRegister.Es, offset, insn.Op0.Size, write: true, out T linear) && ops.Store(linear, insn.Op0.Width, value);
    }

    private static void Advance(ref TOps ops, in Insn insn, int pointer, MemSize width)
    {
        long step = 1L << (int)width;
        T moved = ops.Add(ops.Get(pointer), ops.Const((ulong)(ops.Mode.Backward ? -step : step)));
        Operands<TOps, T, V>.SetRegister(ref ops, pointer, insn.AddressSize, moved);
    }
}
