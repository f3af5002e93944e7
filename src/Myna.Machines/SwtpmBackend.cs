using System.Buffers.Binary;
using System.Net.Sockets;
using Myna.Hardware.Backends;
using Myna.Host;

namespace Myna.Machines;

/// <summary>
/// A TPM of the program swtpm, by its control channel, a UNIX socket (swtpm_ioctls(3)): <c>swtpm socket --tpm2 --tpmstate dir=DIR --ctrl
/// type=unixio,path=PATH</c>. Commands go through a socket pair whose other end it is given.
/// </summary>
public sealed class SwtpmBackend : ITpmBackend, IDisposable
{
    private const uint Init = 2, Shutdown = 3, SetLocality = 5, CancelCommand = 9, Stop = 14, SetDataDescriptor = 16;
    private const int Header = 10;

    private readonly Lock _lock = new();
    private readonly Socket _control;
    private readonly Socket _data;
    private int _locality = -1;

    /// <exception cref="MachineException">It does not answer.</exception>
    public SwtpmBackend(string path)
    {
        _control = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = 10_000, SendTimeout = 10_000 };
        try
        {
            _control.Connect(new UnixDomainSocketEndPoint(path));
            (_data, int theirs) = SocketPair.Create();
            Span<byte> command = stackalloc byte[4];
            BinaryPrimitives.WriteUInt32BigEndian(command, SetDataDescriptor);
            SocketPair.SendDescriptor(_control, command, theirs);
            if (Answer() != 0)
                throw new IOException("it refuses a data channel");
        }
        catch (Exception e) when (e is SocketException or IOException or ArgumentException)
        {
            _control.Dispose();
            _data?.Dispose();
            throw new MachineException($"the TPM at {path} cannot be used: {e.Message}; start it with: swtpm socket --tpm2 --tpmstate dir=DIR --ctrl type=unixio,path={path}", e);
        }
    }

    public async ValueTask<int> ExecuteAsync(ReadOnlyMemory<byte> command, Memory<byte> response, int locality)
    {
        try
        {
            if (locality != _locality)
            {
                if (Control(SetLocality, [(byte)locality]) != 0)
                    return 0;
                _locality = locality;
            }
            await _data.SendAsync(command, SocketFlags.None).ConfigureAwait(false);
            int length = Header;
            for (int done = 0; done < length;)
            {
                int n = await _data.ReceiveAsync(response[done..length], SocketFlags.None).ConfigureAwait(false);
                if (n == 0)
                    return 0;
                done += n;
                if (done == Header && length == Header)
                    length = (int)Math.Clamp(BinaryPrimitives.ReadUInt32BigEndian(response.Span[2..]), Header, (uint)response.Length);
            }
            return length;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return 0;
        }
    }

    public void Cancel() => Control(CancelCommand, []);

    public void PowerOn()
    {
        Control(Stop, []);
        Control(Init, [0, 0, 0, 0]);
        _locality = -1;
    }

    public void Dispose()
    {
        Control(Shutdown, []);
        _control.Dispose();
        _data.Dispose();
    }

    /// <returns>The program's answer, 0 for success.</returns>
    private uint Control(uint code, ReadOnlySpan<byte> body)
    {
        Span<byte> command = stackalloc byte[4 + body.Length];
        BinaryPrimitives.WriteUInt32BigEndian(command, code);
        body.CopyTo(command[4..]);
        lock (_lock)
        {
            try
            {
                _control.Send(command);
                return Answer();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return uint.MaxValue;
            }
        }
    }

    private uint Answer()
    {
        Span<byte> answer = stackalloc byte[4];
        for (int done = 0; done < 4;)
        {
            int n = _control.Receive(answer[done..]);
            if (n == 0)
                return uint.MaxValue;
            done += n;
        }
        return BinaryPrimitives.ReadUInt32BigEndian(answer);
    }
}
