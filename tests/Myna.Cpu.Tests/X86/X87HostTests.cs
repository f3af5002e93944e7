using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Iced.Intel;
using Myna.Cpu.X86;

namespace Myna.Cpu.Tests.X86;

/// <summary>x87 and MMX instructions with random states, against the host's processor: registers, tags, status, flags, memory.</summary>
public sealed class X87HostTests
{
    private readonly Random _random = new(8087);

    public static TheoryData<int> Opcodes => [0xD8, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF, 0x0F];

    [Theory]
    [MemberData(nameof(Opcodes))]
    public void Instructions_do_what_the_processor_does(int opcode)
    {
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64)
            return;
        using var host = new HostFpu();
        using var translated = new X86Fixture();
        using X86Translator? translator = X86Translator.IsSupported ? new X86Translator(translated.Pages) : null;
        if (translator is not null)
            translated.Cpu.Engine = translator.CreateEngine(translated.Cpu, translated.Interpreter);
        using var guest = new X86Fixture();
        guest.Run(a =>
        {
            a.mov(AssemblerRegisters.rax, AssemblerRegisters.cr4);
            a.or(AssemblerRegisters.eax, 0x600);
            a.mov(AssemblerRegisters.cr4, AssemblerRegisters.rax);
        });
        int count = 0;
        foreach (byte[] code in opcode == 0x0F ? MmxInstructions() : X87Instructions(opcode))
        {
            count++;
            host.Prepare(code);
            guest.Write(X86Fixture.Code, host.Program);
            translated.Write(Prologue, [.. s_enableSse, .. host.Program, 0xF4]);
            for (int round = 0; round < 12; round++)
            {
                byte[] result = Compare(host, guest, code);
                if (translator is not null)
                    CompareTranslation(translated, code, result);
            }
        }
        Assert.True(count > 30);
        if (translator is not null)
            Assert.True(translator.Counters.BlocksTranslated >= count);
    }

    // mov rax, cr4; or eax, 600h; mov cr4, rax: in front of the program.
    private static readonly byte[] s_enableSse = [0x0F, 0x20, 0xE0, 0x0D, 0x00, 0x06, 0x00, 0x00, 0x0F, 0x22, 0xE0];
    private static ulong Prologue => X86Fixture.Code - (ulong)s_enableSse.Length;

    /// <summary>The translator agrees with the interpreter to the last byte, instruction and data pointers included.</summary>
    private void CompareTranslation(X86Fixture guest, byte[] code, byte[] expected)
    {
        guest.Write(X86Fixture.Data, _input);
        guest.Restart(Prologue);
        guest.R(7) = X86Fixture.Data;
        Assert.Equal(StopReason.Waiting, guest.Cpu.Run(1000));
        byte[] actual = new byte[HostFpu.Size];
        Assert.True(guest.Memory.Read(X86Fixture.Data, actual));
        for (int i = 0; i < expected.Length; i++)
        {
            if (expected[i] != actual[i])
                Assert.Fail($"{Convert.ToHexString(code)}: byte {i:X} is {actual[i]:X2} translated, {expected[i]:X2} interpreted; input {Convert.ToHexString(_input)}");
        }
    }

    private byte[] _input = [];

    private byte[] Compare(HostFpu host, X86Fixture guest, byte[] code)
    {
        Randomize(host.Block, code[0] == 0xD9 && (code[1] & 0xF8) == 0x28);
        byte[] input = _input = host.Block.ToArray();
        guest.Write(X86Fixture.Data, input);
        host.Run();

        guest.R(7) = X86Fixture.Data;
        guest.R(4) = X86Fixture.Stack;
        guest.Cpu.Pc = X86Fixture.Code;
        ulong end = X86Fixture.Code + (ulong)host.Program.Length;
        for (int i = 0; i < 11; i++)
            guest.Interpreter.Step();
        Assert.Equal(end, guest.Cpu.Pc);

        var actual = new byte[HostFpu.Size];
        Assert.True(guest.Memory.Read(X86Fixture.Data, actual));
        byte[] result = actual.ToArray();
        byte[] expected = host.Block.ToArray();
        // Pointers, opcode, MXCSR_MASK and what lies behind the registers are not the same on all processors.
        Ignore(HostFpu.StateOut + 6, 18);
        Ignore(HostFpu.StateOut + 28, 4);
        Ignore(HostFpu.StateOut + 416, 96);
        Ignore(HostFpu.SaveOut + 12, 16);
        Ignore(HostFpu.Mxcsr, 4);
        for (int i = 0; i < expected.Length; i++)
        {
            if (expected[i] != actual[i])
                Assert.Fail($"{Convert.ToHexString(code)}: byte {i:X} is {actual[i]:X2}, should be {expected[i]:X2}; input {Convert.ToHexString(input)}");
        }
        return result;

        void Ignore(int offset, int length) => actual.AsSpan(offset, length).CopyTo(expected.AsSpan(offset));
    }

    /// <summary>With registers, and with memory at [rsi]; environments and whole states apart.</summary>
    private static IEnumerable<byte[]> X87Instructions(int opcode)
    {
        for (int modRm = 0xC0; modRm < 0x100; modRm++)
        {
            if (Decode([(byte)opcode, (byte)modRm]) is { } i && !i.CpuidFeatures.Any(f => f is CpuidFeature.FPU287 or CpuidFeature.FPU287XL_ONLY))
                yield return [(byte)opcode, (byte)modRm];
        }
        for (int extension = 0; extension < 8; extension++)
        {
            if (Decode([(byte)opcode, (byte)(extension << 3 | 6)]) is { } i
                && i.Mnemonic is not (Mnemonic.Fnsave or Mnemonic.Fnstenv or Mnemonic.Frstor or Mnemonic.Fldenv))
            {
                yield return [(byte)opcode, (byte)(extension << 3 | 6)];
            }
        }
    }

    private static IEnumerable<byte[]> MmxInstructions()
    {
        var seen = new HashSet<string>();
        // [rsi]; mm0 or xmm0 with mm2; mm1 with itself; mm0 or eax with mm0.
        foreach (byte modRm in (byte[])[0x06, 0xC2, 0xC9, 0xC0])
        {
            for (int op = 0; op < 256; op++)
            {
                foreach (int immediate in (int[])[-1, 0, 3, 13, 60, 129])
                {
                    byte[] tail = immediate < 0 ? [] : [(byte)immediate];
                    byte[][] all = op is 0x38 or 0x3A ? [] : [[0x0F, (byte)op, modRm, .. tail], [0x66, 0x0F, (byte)op, modRm], [0xF2, 0x0F, (byte)op, modRm], [0xF3, 0x0F, (byte)op, modRm], [0x48, 0x0F, (byte)op, modRm]];
                    foreach (byte[] code in (byte[][])[.. all, [0x0F, 0x38, (byte)op, modRm], [0x0F, 0x3A, (byte)op, modRm, .. tail]])
                    {
                        if (Decode(code) is { } i && IsMmx(i) && seen.Add(Convert.ToHexString(code)))
                            yield return code;
                    }
                }
            }
        }
    }

    private static bool IsMmx(Instruction i)
    {
        if (i.CpuidFeatures.Any(f => f is not (CpuidFeature.MMX or CpuidFeature.SSE or CpuidFeature.SSE2 or CpuidFeature.SSSE3)))
            return false;
        bool mmx = i.Mnemonic is Mnemonic.Emms or Mnemonic.Cvtpi2pd or Mnemonic.Cvtpi2ps;
        for (int k = 0; k < i.OpCount; k++)
        {
            if (i.GetOpKind(k) != OpKind.Register)
                continue;
            Register r = i.GetOpRegister(k);
            mmx |= r.IsMM();
            // The program gives RAX only.
            if (r.IsGPR() && r.GetFullRegister() != Register.RAX)
                return false;
        }
        return mmx;
    }

    private static Instruction? Decode(byte[] code)
    {
        Decoder decoder = Decoder.Create(64, code);
        Instruction i = decoder.Decode();
        return !i.IsInvalid && i.Length == code.Length ? i : null;
    }

    private void Randomize(Span<byte> block, bool loadsControl)
    {
        block.Clear();
        _random.NextBytes(block[..64]);
        RandomOperand(block);
        Span<byte> state = block[HostFpu.StateIn..];
        int control = _random.Next(3) switch { 0 => 0x37F, 1 => 0x7F | _random.Next(16) << 8, _ => _random.Next(0x40) | 0x40 | _random.Next(16) << 8 };
        // Only masked exceptions are set already, otherwise one would be pending.
        int status = (_random.Next(0x40) & control) | _random.Next(0x80) << 8;
        if ((status & 1) != 0)
            status |= _random.Next(2) << 6;
        BinaryPrimitives.WriteUInt16LittleEndian(state, (ushort)control);
        BinaryPrimitives.WriteUInt16LittleEndian(state[2..], (ushort)status);
        int top = status >> 11 & 7;
        state[4] = (byte)(_random.Next(4) switch { 0 => _random.Next(256), 1 => 0xFF ^ (1 << ((top + 7) & 7)), 2 => 0xFF, _ => 0x7F >> _random.Next(8) });
        BinaryPrimitives.WriteUInt32LittleEndian(state[24..], 0x1F80 | (uint)_random.Next(4) << 13);
        for (int i = 0; i < 8; i++)
            RandomExtended(state[(32 + (i * 16))..]);
        if (_random.Next(6) == 0)
            state[32..42].CopyTo(state[48..]);
        if (loadsControl)
            BinaryPrimitives.WriteUInt16LittleEndian(block, (ushort)(_random.Next(65536) | (status & 0x3F)));
        for (int i = 0; i < 64; i++)
        {
            float value = (float)((_random.NextDouble() - 0.5) * Math.Pow(2, _random.Next(40)));
            BinaryPrimitives.WriteSingleLittleEndian(state[(160 + (i * 4))..], _random.Next(4) == 0 ? BitConverter.Int32BitsToSingle(_random.Next()) : value);
        }
        BinaryPrimitives.WriteUInt64LittleEndian(block[HostFpu.FlagsIn..], ((uint)_random.Next(4096) & 0x8D5) | 0x202);
        BinaryPrimitives.WriteInt64LittleEndian(block[HostFpu.RaxIn..], _random.NextInt64());
    }

    private void RandomOperand(Span<byte> to)
    {
        switch (_random.Next(6))
        {
            case 0:
                RandomExtended(to);
                break;
            case 1:
                BinaryPrimitives.WriteInt64LittleEndian(to, _random.NextInt64() >> _random.Next(64));
                break;
            case 2:
                BinaryPrimitives.WriteSingleLittleEndian(to, (float)(_random.NextDouble() * Math.Pow(2, _random.Next(-20, 40))));
                break;
            case 3:
                BinaryPrimitives.WriteDoubleLittleEndian(to, _random.NextDouble() * Math.Pow(2, _random.Next(-20, 70)));
                break;
            case 4:
                // Zeros, denormals, infinities and NaNs, as float and as the upper half of a double.
                uint special = (uint)_random.Next(2) << 31 | (_random.Next(2) == 0 ? 0u : 0xFFu) << 23 | (uint)_random.Next(4) << 21 | (uint)_random.Next(2);
                BinaryPrimitives.WriteUInt32LittleEndian(to, special);
                BinaryPrimitives.WriteUInt32LittleEndian(to[4..], (special & 0x8000_0000) | (uint)_random.Next(2) * 0x7FF0_0000 | (uint)_random.Next(4) << 18);
                break;
            default:
                for (int i = 0; i < 10; i++)
                    to[i] = (byte)(_random.Next(10) | _random.Next(10) << 4);
                break;
        }
    }

    /// <summary>All classes of the 80-bit format, unsupported ones too.</summary>
    private void RandomExtended(Span<byte> to)
    {
        ulong significand = _random.Next(6) switch
        {
            0 => 0,
            1 => 1UL << 63,
            2 => 0xC000_0000_0000_0000,
            3 => (ulong)_random.NextInt64() << _random.Next(64),
            4 => ulong.MaxValue << _random.Next(64),
            _ => (ulong)_random.NextInt64(long.MinValue, long.MaxValue),
        };
        int exponent = _random.Next(8) switch
        {
            0 => 0,
            1 => 0x7FFF,
            2 => _random.Next(0x8000),
            3 => 0x3FFF + _random.Next(-70, 70),
            4 => 0x3FFF + _random.Next(-160, 160),
            5 => 0x3FFF + _random.Next(-1100, 1100),
            6 => 1 + _random.Next(80),
            _ => 0x7FFE - _random.Next(80),
        };
        if (_random.Next(4) != 0)
            significand |= 1UL << 63;
        if (_random.Next(10) == 0)
            (significand, exponent) = (0, 0);
        BinaryPrimitives.WriteUInt64LittleEndian(to, significand);
        BinaryPrimitives.WriteUInt16LittleEndian(to[8..], (ushort)(exponent | _random.Next(2) << 15));
    }
}
