using System.Buffers.Binary;
using Myna.Hardware.Backends;
using Myna.Machines.Tests.Support;

namespace Myna.Machines.Tests;

/// <summary>Microsoft's "Multimedia Programming Interface and Data Specifications 1.0", RIFF and WAVE.</summary>
public sealed class WavFileTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    private static short[] Constant(int frames, short value) => [.. Enumerable.Repeat(value, 2 * frames)];

    private short[] Read(string path)
    {
        byte[] file = File.ReadAllBytes(path);
        Assert.Equal("RIFF"u8, file.AsSpan(0, 4));
        Assert.Equal("WAVEfmt "u8, file.AsSpan(8, 8));
        Assert.Equal("data"u8, file.AsSpan(36, 4));
        Assert.Equal(file.Length - 8, BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(4)));
        Assert.Equal(file.Length - 44, BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(40)));
        Assert.Equal((1, 2, 48_000, 192_000, 4, 16), (BinaryPrimitives.ReadInt16LittleEndian(file.AsSpan(20)), BinaryPrimitives.ReadInt16LittleEndian(file.AsSpan(22)),
            BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(24)), BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(28)),
            BinaryPrimitives.ReadInt16LittleEndian(file.AsSpan(32)), BinaryPrimitives.ReadInt16LittleEndian(file.AsSpan(34))));
        short[] samples = new short[(file.Length - 44) / 2];
        for (int i = 0; i < samples.Length; i++)
            samples[i] = BinaryPrimitives.ReadInt16LittleEndian(file.AsSpan(44 + 2 * i));
        return samples;
    }

    [Fact]
    public void The_file_is_whole_after_every_piece()
    {
        string path = _scratch.Path("a.wav");
        using var file = new WavFile(path);
        Assert.Empty(Read(path));
        IAudioVoice voice = file.Open();
        for (int i = 0; i < 10; i++)
        {
            voice.Play((ulong)(i * 480), Constant(480, 100));
            Assert.Equal(960 * (i + 1), Read(path).Length);
        }
        Assert.All(Read(path), s => Assert.Equal(100, s));
    }

    [Fact]
    public void Voices_are_heard_together_and_limited()
    {
        string path = _scratch.Path("a.wav");
        using var file = new WavFile(path);
        IAudioVoice first = file.Open(), second = file.Open();
        first.Play(0, Constant(100, 20_000));
        second.Play(50, Constant(100, 20_000));
        first.Stop();
        second.Stop();
        short[] samples = Read(path);
        // The first voice's sound was written before the second one's came.
        Assert.Equal(20_000, samples[0]);
        first.Play(200, Constant(10, 1000));
        second.Play(200, Constant(20, 2000));
        first.Play(210, Constant(10, 32_000));
        second.Stop();
        first.Stop();
        samples = Read(path);
        Assert.Equal(440, samples.Length);
        Assert.Equal(0, samples[2 * 199]);
        Assert.Equal(1000, samples[2 * 200]);
        Assert.Equal(short.MaxValue, samples[2 * 215]);
    }

    [Fact]
    public void Pauses_are_left_out_unless_they_are_short()
    {
        string path = _scratch.Path("a.wav");
        using var file = new WavFile(path);
        IAudioVoice voice = file.Open();
        voice.Play(1_000_000_000, Constant(100, 1));
        voice.Stop();
        Assert.Equal(200, Read(path).Length);
        voice.Play(1_000_001_100, Constant(100, 2));
        voice.Stop();
        Assert.Equal(2 * 1200, Read(path).Length);
        voice.Play(5_000_000_000, Constant(100, 3));
        voice.Stop();
        Assert.Equal(2 * 1300, Read(path).Length);
        Assert.Equal(3, Read(path)[^1]);
    }

    [Fact]
    public void A_voice_that_does_not_go_on_holds_up_the_others_for_a_while_only()
    {
        string path = _scratch.Path("a.wav");
        using var file = new WavFile(path);
        IAudioVoice stuck = file.Open(), voice = file.Open();
        stuck.Play(0, Constant(10, 1));
        for (int i = 0; i < 200; i++)
            voice.Play((ulong)(i * 480), Constant(480, 7));
        Assert.InRange(Read(path).Length, 2 * (96_000 - 40_000), 2 * 96_000);
        // And it may come back, or never.
        stuck.Play(96_000, Constant(10, 1));
        file.Dispose();
        short[] samples = Read(path);
        Assert.Equal(2 * 96_010, samples.Length);
        Assert.Equal(7, samples[2 * 50_000]);
        Assert.Equal(1, samples[^1]);
    }

    [Fact]
    public void A_long_piece_and_a_jump_do_no_harm()
    {
        string path = _scratch.Path("a.wav");
        using var file = new WavFile(path);
        IAudioVoice voice = file.Open();
        voice.Play(0, Constant(100_000, 5));
        voice.Play(ulong.MaxValue / 2, Constant(10, 6));
        voice.Play(3, Constant(10, 6));
        voice.Stop();
        short[] samples = Read(path);
        Assert.InRange(samples.Length, 2 * 100_000, 2 * 130_010);
        Assert.Equal(6, samples[^1]);
    }

    [Fact]
    public void A_file_that_cannot_be_made_is_the_users_mistake()
        => Assert.Throws<MachineException>(() => new WavFile(_scratch.Path("no/such/folder/a.wav")));
}
