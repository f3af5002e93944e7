using System.Buffers.Binary;
using Iced.Intel;
using Myna.Cpu.X86;
using Myna.Jit.Engine;

namespace Myna.Cpu.Tests.X86;

/// <summary>
/// Every encoding of every vector instruction, with register and memory operands, random values and all rounding modes, against the host's
/// processor: registers, memory, flags, MXCSR.
/// </summary>
public sealed class SimdHostTests
{
    private readonly Random _random = new(128);

    private static readonly CpuidFeature[] s_features =
    [
        CpuidFeature.SSE, CpuidFeature.SSE2, CpuidFeature.SSE3, CpuidFeature.SSSE3, CpuidFeature.SSE4_1, CpuidFeature.SSE4_2, CpuidFeature.AES, CpuidFeature.PCLMULQDQ,
        CpuidFeature.SHA, CpuidFeature.GFNI, CpuidFeature.VAES, CpuidFeature.VPCLMULQDQ, CpuidFeature.AVX, CpuidFeature.AVX2, CpuidFeature.FMA, CpuidFeature.F16C,
    ];

    public static TheoryData<CpuidFeature> Features => [.. s_features];

    [Theory]
    [MemberData(nameof(Features))]
    public void Instructions_do_what_the_processor_does(CpuidFeature feature)
    {
        CpuModel model = CpuModel.Parse("max");
        if (!HostVector.IsSupported || !model.Allows(CpuidFeature.AVX) || !model.Allows(feature))
            return;
        using var host = new HostSimd();
        using var guest = new X86Fixture();
        guest.Run(a =>
        {
            // OSFXSR, OSXMMEXCPT, OSXSAVE.
            a.mov(AssemblerRegisters.rax, AssemblerRegisters.cr4);
            a.or(AssemblerRegisters.eax, 0x4_0600);
            a.mov(AssemblerRegisters.cr4, AssemblerRegisters.rax);
            a.mov(AssemblerRegisters.eax, 7);
            a.xor(AssemblerRegisters.edx, AssemblerRegisters.edx);
            a.xor(AssemblerRegisters.ecx, AssemblerRegisters.ecx);
            a.xsetbv();
        });
        int count = 0;
        foreach (Code code in Enum.GetValues<Code>())
        {
            OpCodeInfo op = code.ToOpCode();
            if (!op.IsInstruction || !op.Mode64 || op.Encoding is not (EncodingKind.Legacy or EncodingKind.VEX) || code.CpuidFeatures()[0] != feature || !Array.TrueForAll(code.CpuidFeatures(), s_features.Contains))
                continue;
            foreach (bool memory in (bool[])[false, true])
            {
                if (!TryMake(op, memory, out byte[] bytes))
                    continue;
                count++;
                host.Prepare(bytes);
                guest.Write(X86Fixture.Code, host.Program);
                for (int round = 0; round < 10; round++)
                    Compare(host, guest, op, bytes);
            }
        }
        Assert.True(count > 0, $"no instruction of {feature}");
    }

    // Registers 0, 1, 2 in the operands' order; memory is aligned; null when the instruction is none of vectors.
    private bool TryMake(OpCodeInfo op, bool memory, out byte[] bytes)
    {
        bytes = [];
        Instruction i = default;
        i.Code = op.Code;
        int vector = 0;
        bool hasVector = false, hasMemory = false;
        for (int n = 0; n < op.OpCount; n++)
        {
            switch (op.GetOpKind(n))
            {
                case OpCodeOperandKind.xmm_reg or OpCodeOperandKind.xmm_rm or OpCodeOperandKind.xmm_vvvv or OpCodeOperandKind.xmm_is4:
                    i.SetOpRegister(n, Register.XMM0 + (vector++ % 3));
                    hasVector = true;
                    break;
                case OpCodeOperandKind.ymm_reg or OpCodeOperandKind.ymm_rm or OpCodeOperandKind.ymm_vvvv or OpCodeOperandKind.ymm_is4:
                    i.SetOpRegister(n, Register.YMM0 + (vector++ % 3));
                    hasVector = true;
                    break;
                case OpCodeOperandKind.xmm_or_mem when !memory:
                    i.SetOpRegister(n, Register.XMM0 + (vector++ % 3));
                    hasVector = true;
                    break;
                case OpCodeOperandKind.ymm_or_mem when !memory:
                    i.SetOpRegister(n, Register.YMM0 + (vector++ % 3));
                    hasVector = true;
                    break;
                case OpCodeOperandKind.r32_reg or OpCodeOperandKind.r32_rm:
                    i.SetOpRegister(n, Register.EAX);
                    break;
                case OpCodeOperandKind.r64_reg or OpCodeOperandKind.r64_rm:
                    i.SetOpRegister(n, Register.RAX);
                    break;
                case OpCodeOperandKind.r32_or_mem when !memory:
                    i.SetOpRegister(n, Register.EAX);
                    break;
                case OpCodeOperandKind.r64_or_mem when !memory:
                    i.SetOpRegister(n, Register.RAX);
                    break;
                case OpCodeOperandKind.xmm_or_mem or OpCodeOperandKind.ymm_or_mem or OpCodeOperandKind.r32_or_mem or OpCodeOperandKind.r64_or_mem:
                case OpCodeOperandKind.mem when memory:
                    i.SetOpKind(n, OpKind.Memory);
                    i.MemoryBase = Register.RDI;
                    i.MemoryDisplacement64 = HostSimd.Memory;
                    i.MemoryDisplSize = 8;
                    hasMemory = true;
                    break;
                case OpCodeOperandKind.imm8:
                    i.SetOpKind(n, OpKind.Immediate8);
                    i.Immediate8 = (byte)_random.Next(256);
                    break;
                default:
                    return false;
            }
        }
        // LDMXCSR wants a particular operand.
        if (!hasVector || hasMemory != memory)
            return false;
        var output = new MemoryStream();
        var encoder = Encoder.Create(64, new StreamCodeWriter(output));
        Assert.True(encoder.TryEncode(i, 0, out _, out string? error), $"{op.Code}: {error}");
        bytes = output.ToArray();
        return true;
    }

    private void Compare(HostSimd host, X86Fixture guest, OpCodeInfo op, byte[] code)
    {
        Randomize(host.Block);
        byte[] input = host.Block.ToArray();
        guest.Write(X86Fixture.Data, input);
        host.Run();

        guest.R(7) = X86Fixture.Data;
        guest.R(4) = X86Fixture.Stack;
        guest.Cpu.Pc = X86Fixture.Code;
        for (int i = 0; i < HostSimd.Steps; i++)
            guest.Interpreter.Step();
        Assert.True(X86Fixture.Code + (ulong)host.Program.Length == guest.Cpu.Pc, $"{op.Code}: at {guest.Cpu.Pc:x}");

        var actual = new byte[HostSimd.Size];
        Assert.True(guest.Memory.Read(X86Fixture.Data, actual));
        byte[] expected = host.Block.ToArray();
        // Of the flags only the arithmetic ones are the instruction's.
        foreach (byte[] block in (byte[][])[expected, actual])
            BinaryPrimitives.WriteUInt64LittleEndian(block.AsSpan(HostSimd.FlagsOut), BinaryPrimitives.ReadUInt64LittleEndian(block.AsSpan(HostSimd.FlagsOut)) & 0x8D5);
        BinaryPrimitives.WriteUInt32LittleEndian(actual.AsSpan(HostSimd.MxcsrHost), 0x1F80);
        int at = expected.AsSpan().CommonPrefixLength(actual);
        Assert.True(at == expected.Length, $"{op.Code} {Convert.ToHexString(code)} at {at:x}:\n{Convert.ToHexString(expected)}\n{Convert.ToHexString(actual)}\nfrom\n{Convert.ToHexString(input)}");
    }

    private void Randomize(Span<byte> block)
    {
        block.Clear();
        for (int at = 0; at < HostSimd.MxcsrIn; at += 8)
        {
            ulong value = _random.Next(8) switch
            {
                0 => (ulong)_random.NextInt64(),
                1 => BitConverter.DoubleToUInt64Bits(_random.Next(-100, 100)),
                2 => BitConverter.DoubleToUInt64Bits(_random.NextDouble() * 1e10),
                3 => Pair(_random.Next(-100, 100), _random.NextSingle()),
                4 => Pair(float.NaN, float.NegativeInfinity),
                5 => _random.Next(2) == 0 ? 0x7FF0_0000_0000_0001 : 0x8000_0000_0000_0001,
                6 => Pair(1e-40f, 3e38f),
                _ => (ulong)_random.Next(40) << (_random.Next(8) * 8),
            };
            BinaryPrimitives.WriteUInt64LittleEndian(block[at..], value);
        }
        uint mxcsr = 0x1F80 | (uint)_random.Next(4) << 13 | (_random.Next(4) == 0 ? 0x8000u : 0) | (_random.Next(4) == 0 ? 0x40u : 0) | (uint)_random.Next(64);
        BinaryPrimitives.WriteUInt32LittleEndian(block[HostSimd.MxcsrIn..], mxcsr);
        BinaryPrimitives.WriteUInt32LittleEndian(block[HostSimd.MxcsrHost..], 0x1F80);
    }

    private static ulong Pair(float low, float high) => BitConverter.SingleToUInt32Bits(low) | (ulong)BitConverter.SingleToUInt32Bits(high) << 32;
}
