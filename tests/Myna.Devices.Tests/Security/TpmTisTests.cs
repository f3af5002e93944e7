using Myna.Devices.Security;
using Myna.Devices.Tests.Support;
using Myna.Hardware.Backends;

namespace Myna.Devices.Tests.Security;

/// <summary>TCG PC Client Platform TPM Profile 1.05, section 6.5: the FIFO interface.</summary>
public sealed class TpmTisTests
{
    private const ulong Access = 0, Status = 0x18, Fifo = 0x24;

    private sealed class EchoTpm : ITpmBackend
    {
        public TaskCompletionSource<int>? Slow { get; set; }
        public int Cancels { get; private set; }
        public byte[] Command { get; private set; } = [];
        public int Locality { get; private set; } = -1;

        public ValueTask<int> ExecuteAsync(ReadOnlyMemory<byte> command, Memory<byte> response, int locality)
        {
            Command = command.ToArray();
            Locality = locality;
            byte[] answer = [0x80, 0x01, 0, 0, 0, 12, 0, 0, 0, 0, 0xab, 0xcd];
            answer.CopyTo(response);
            return Slow is { } slow ? new(slow.Task) : new(answer.Length);
        }

        public void Cancel() => Cancels++;

        public void PowerOn() { }
    }

    private readonly EchoTpm _tpm = new();
    private readonly TpmTis _tis;

    public TpmTisTests() => _tis = new TpmTis(_tpm);

    private void Send(int locality, params byte[] command)
    {
        ulong at = (ulong)locality << 12;
        _tis.Store(at + Access, 2, 1);
        _tis.Store(at + Status, 0x40);
        Assert.Equal(0xc0u, _tis.Load(at + Status, 1) & 0xd8);
        for (int i = 0; i < command.Length; i++)
        {
            _tis.Store(at + Fifo, command[i], 1);
            Assert.Equal(i < command.Length - 1 ? 8u : 0, _tis.Load(at + Status, 1) & 8);
        }
    }

    [Fact]
    public void Identity_and_interface_say_TPM_2_by_FIFO()
    {
        Assert.Equal(0x0001_1014u, _tis.Load(0xf00));
        Assert.Equal(0u, _tis.Load(0x30) & 0xff);
        Assert.Equal(3u, _tis.Load(0x14) >> 28 & 7);
        Assert.Equal(0x81u, _tis.Load(Access, 1));
        // Without the locality, TPM_STS reads as ones.
        Assert.Equal(uint.MaxValue, _tis.Load(Status));
    }

    [Fact]
    public void A_command_goes_through_the_FIFO_and_its_response_comes_back()
    {
        Send(0, 0x80, 0x01, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0);
        _tis.Store(Status, 0x20);
        Assert.Equal([0x80, 0x01, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0], _tpm.Command);
        Assert.Equal(0, _tpm.Locality);
        Assert.Equal(0x90u, _tis.Load(Status, 1) & 0x90);
        Assert.Equal(12u, _tis.Load(Status) >> 8 & 0xffff);
        Assert.Equal(0x0000_0180u, _tis.Load(Fifo));
        // From the start again.
        _tis.Store(Status, 2);
        byte[] response = [.. Enumerable.Range(0, 12).Select(_ => (byte)_tis.Load(Fifo, 1))];
        Assert.Equal([0x80, 0x01, 0, 0, 0, 12, 0, 0, 0, 0, 0xab, 0xcd], response);
        Assert.Equal(0u, _tis.Load(Status, 1) & 0x10);
        Assert.Equal(0xffu, _tis.Load(Fifo, 1));
        _tis.Store(Status, 0x40);
        Assert.Equal(0x40u, _tis.Load(Status, 1) & 0x40);
    }

    [Fact]
    public void Localities_wait_for_each_other_and_higher_ones_may_seize()
    {
        _tis.Store(Access, 2, 1);
        Assert.Equal(0xa1u, _tis.Load(Access, 1));
        _tis.Store(0x1000, 2, 1);
        Assert.Equal(0x83u, _tis.Load(0x1000, 1));
        Assert.Equal(0xa5u, _tis.Load(Access, 1));
        _tis.Store(Access, 0x20, 1);
        Assert.Equal(0x81u, _tis.Load(Access, 1));
        Assert.Equal(0xa1u, _tis.Load(0x1000, 1));
        _tis.Store(Access, 8, 1);
        Assert.Equal(0xa1u, _tis.Load(0x1000, 1));
        _tis.Store(0x2000, 8, 1);
        Assert.Equal(0xa1u, _tis.Load(0x2000, 1));
        Assert.Equal(0x91u, _tis.Load(0x1000, 1));
        _tis.Store(0x1000, 0x10, 1);
        Assert.Equal(0x81u, _tis.Load(0x1000, 1));
    }

    [Fact]
    public void What_is_not_complete_does_not_go()
    {
        Send(0, 0x80, 0x01, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0);
        _tis.Store(Status, 0x40);
        _tis.Store(Fifo, 0x80, 1);
        _tis.Store(Status, 0x20);
        Assert.Empty(_tpm.Command);
    }

    [Fact]
    public void A_command_under_way_is_cancelled_and_its_response_dropped()
    {
        _tpm.Slow = new TaskCompletionSource<int>();
        Send(0, 0x80, 0x01, 0, 0, 0, 10, 0, 0, 1, 0x44);
        _tis.Store(Status, 0x20);
        Assert.Equal(0x80u, _tis.Load(Status, 1) & 0xd8);
        _tis.Store(Status, 0x40);
        Assert.Equal(1, _tpm.Cancels);
        _tpm.Slow.SetResult(12);
        _tis.Drain();
        Assert.Equal(0u, _tis.Load(Status, 1) & 0x10);
        _tis.Store(Status, 0x40);
        Assert.Equal(0x40u, _tis.Load(Status, 1) & 0x40);
    }
}
